#include "slot_list.h"

#include <gtest/gtest.h>

#include <set>

namespace ebs {
namespace {

TEST(SlotList, GivesEachSlotOnce) {
  SlotList slots(7);
  EXPECT_EQ(slots.slot_count(), 7u);
  std::set<uint32_t> taken;
  for (size_t left = 7; left > 0; left--) {
    EXPECT_EQ(slots.free_count(), left);
    uint32_t slot = slots.Take();
    EXPECT_LT(slot, 7u);
    EXPECT_TRUE(taken.insert(slot).second) << slot;
  }
  EXPECT_EQ(slots.free_count(), 0u);
}

TEST(SlotList, GivesTheSlotThatBecameFreeLast) {
  SlotList slots(3);
  uint32_t first = slots.Take(), second = slots.Take();
  ASSERT_TRUE(slots.GiveBack(second));
  ASSERT_TRUE(slots.GiveBack(first));
  EXPECT_EQ(slots.Take(), first);
  EXPECT_EQ(slots.Take(), second);
}

TEST(SlotList, RefusesASlotThatIsNotTaken) {
  SlotList slots(2);
  uint32_t slot = slots.Take();
  EXPECT_FALSE(slots.GiveBack(1 - slot));
  EXPECT_TRUE(slots.GiveBack(slot));
  EXPECT_FALSE(slots.GiveBack(slot));
  EXPECT_FALSE(slots.GiveBack(2));
  EXPECT_FALSE(slots.GiveBack(UINT32_MAX));
  EXPECT_EQ(slots.free_count(), 2u);
}

TEST(SlotListDeathTest, EndsTheProcessWhenNoneIsFree) {
  SlotList slots(1);
  slots.Take();
  EXPECT_DEATH(slots.Take(), "free_");
}

}  // namespace
}  // namespace ebs
