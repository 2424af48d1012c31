#include "slot_list.h"

#include <gtest/gtest.h>

#include <set>

namespace ebs {
namespace {

TEST(SlotList, GivesEachSlotOnce) {
  SlotList slots(7);
  EXPECT_EQ(slots.limit(), 7u);
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

TEST(SlotList, GivesNoMoreThanALoweredLimitUntilEnoughAreBack) {
  SlotList slots(3);
  uint32_t first = slots.Take(), second = slots.Take();
  slots.SetLimit(1);
  EXPECT_EQ(slots.free_count(), 0u);
  ASSERT_TRUE(slots.GiveBack(first));
  EXPECT_EQ(slots.free_count(), 0u);
  ASSERT_TRUE(slots.GiveBack(second));
  EXPECT_EQ(slots.free_count(), 1u);
  EXPECT_EQ(slots.Take(), second);
  EXPECT_EQ(slots.free_count(), 0u);
  slots.SetLimit(9);
  EXPECT_EQ(slots.free_count(), 2u);
}

TEST(SlotList, GivesAddedSlotsAfterTheOthers) {
  SlotList slots(2);
  ASSERT_TRUE(slots.GiveBack(slots.Take()));
  slots.Add(2);
  EXPECT_EQ(slots.limit(), 4u);
  EXPECT_EQ(slots.free_count(), 4u);
  for (uint32_t slot : {0u, 1u, 2u, 3u}) EXPECT_EQ(slots.Take(), slot);
  EXPECT_TRUE(slots.GiveBack(3));
  EXPECT_FALSE(slots.GiveBack(4));
}

TEST(SlotListDeathTest, EndsTheProcessWhenNoneIsFree) {
  SlotList slots(1);
  slots.Take();
  EXPECT_DEATH(slots.Take(), "free_count");
}

}  // namespace
}  // namespace ebs
