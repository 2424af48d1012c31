#ifndef EBS_NATIVE_SLOT_LIST_H_
#define EBS_NATIVE_SLOT_LIST_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ebs {

// Which slots of the block memory are free. A slot is here, or with whoever took it; giving back
// one that is here already is refused, so that no slot can be in two hands. Not thread-safe: the
// owner's lock guards it.
//
// A limit on how many may be taken can be lower than there are: then the rest stays free until the
// limit rises again.
class SlotList {
 public:
  // All of `slot_count` slots are free.
  explicit SlotList(uint32_t slot_count);

  // How many may be taken now.
  size_t free_count() const;
  size_t limit() const { return limit_; }

  // Bounds how many may be taken at one time, slots that are taken already included. At least 1.
  void SetLimit(uint32_t limit) { limit_ = limit; }

  // Adds slots numbered from the present count on, all free. They are taken after the others, whose
  // memory has been used before. The limit rises with them.
  void Add(uint32_t count);

  // Takes the slot that became free last, whose memory is the most likely to be in the cache. One
  // must be free.
  uint32_t Take();

  // Returns false, and does nothing, when `slot` is not taken.
  bool GiveBack(uint32_t slot);

 private:
  std::vector<uint32_t> free_;
  std::vector<bool> is_taken_;
  size_t limit_;
};

}  // namespace ebs

#endif  // EBS_NATIVE_SLOT_LIST_H_
