#include "slot_list.h"

#include <algorithm>
#include <cassert>

namespace ebs {

SlotList::SlotList(uint32_t slot_count) : limit_(0) { Add(slot_count); }

size_t SlotList::free_count() const {
  size_t taken = is_taken_.size() - free_.size();
  return taken < limit_ ? std::min(free_.size(), limit_ - taken) : 0;
}

void SlotList::Add(uint32_t count) {
  uint32_t first = static_cast<uint32_t>(is_taken_.size());
  is_taken_.resize(first + count);
  limit_ += count;
  free_.insert(free_.begin(), count, 0);
  for (uint32_t i = 0; i < count; i++) free_[i] = first + count - 1 - i;
}

uint32_t SlotList::Take() {
  assert(free_count() > 0);
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
