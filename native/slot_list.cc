#include "slot_list.h"

#include <cassert>

namespace ebs {

SlotList::SlotList(uint32_t slot_count) : is_taken_(slot_count) {
  free_.reserve(slot_count);
  for (uint32_t slot = slot_count; slot > 0; slot--) free_.push_back(slot - 1);
}

uint32_t SlotList::Take() {
  assert(!free_.empty());
  uint32_t slot = free_.back();
  free_.pop_back();
  is_taken_[slot] = true;
  return slot;
}

bool SlotList::GiveBack(uint32_t slot) {
  if (slot >= is_taken_.size() || !is_taken_[slot]) return false;
  is_taken_[slot] = false;
  free_.push_back(slot);
  return true;
}

}  // namespace ebs
