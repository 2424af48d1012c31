#ifndef EBS_NATIVE_BLOCK_SELECTION_H_
#define EBS_NATIVE_BLOCK_SELECTION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ebs {

// Which blocks of a source are to be read: all of them, until some are chosen by a bitmap. Not
// thread-safe.
class BlockSelection {
 public:
  // Chooses the blocks whose bits are set, the lowest bit of the first byte being block 0. Those
  // behind the bitmap are not chosen. Copies the bits.
  void Assign(const uint8_t* bits, size_t size);

  // The first chosen block from `first` on, or `end`.
  uint64_t FindChosen(uint64_t first, uint64_t end) const;

  // The first block from `first` on that is not chosen, or `end`.
  uint64_t FindLeftOut(uint64_t first, uint64_t end) const;

 private:
  uint64_t Find(uint64_t first, uint64_t end, bool is_chosen) const;

  bool is_all_ = true;
  std::vector<uint8_t> bits_;
};

}  // namespace ebs

#endif  // EBS_NATIVE_BLOCK_SELECTION_H_
