#include "block_selection.h"

namespace ebs {

void BlockSelection::Assign(const uint8_t* bits, size_t size) {
  is_all_ = false;
  bits_.assign(bits, bits + size);
}

uint64_t BlockSelection::FindChosen(uint64_t first, uint64_t end) const {
  return is_all_ ? first : Find(first, end, true);
}

uint64_t BlockSelection::FindLeftOut(uint64_t first, uint64_t end) const {
  return is_all_ ? end : Find(first, end, false);
}

uint64_t BlockSelection::Find(uint64_t first, uint64_t end, bool is_chosen) const {
  const uint8_t none = is_chosen ? 0 : 0xff;
  for (uint64_t block = first; block < end;) {
    uint64_t at = block / 8;
    uint8_t byte = at < bits_.size() ? bits_[at] : 0;
    // A byte that cannot hold it is passed in one step.
    if (byte == none) {
      block = (at + 1) * 8;
    } else if (((byte >> (block % 8)) & 1) == is_chosen) {
      return block;
    } else {
      block++;
    }
  }
  return end;
}

}  // namespace ebs
