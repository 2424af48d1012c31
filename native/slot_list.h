#ifndef EBS_NATIVE_SLOT_LIST_H_
#define EBS_NATIVE_SLOT_LIST_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ebs {

// Which slots of the block memory are free. A slot is here, or with whoever took it; giving back
// one that is here already is refused, so that no slot can be in two hands. Not thread-safe: the
// owner's lock guards it.
class SlotList {
 public:
  // All of `slot_count` slots are free.
  explicit SlotList(uint32_t slot_count);

  size_t free_count() const { return free_.size(); }
  size_t slot_count() const { return is_taken_.size(); }

  // Takes the slot that became free last, whose memory is the most likely to be in the cache. One
  // must be free.
  uint32_t Take();

  // Returns false, and does nothing, when `slot` is not taken.
  bool GiveBack(uint32_t slot);

 private:
  std::vector<uint32_t> free_;
  std::vector<bool> is_taken_;
};

}  // namespace ebs

#endif  // EBS_NATIVE_SLOT_LIST_H_
