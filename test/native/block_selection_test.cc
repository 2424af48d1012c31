#include "block_selection.h"

#include <gtest/gtest.h>

#include "support/seeded_random.h"

namespace ebs {
namespace {

TEST(BlockSelection, IsAllUntilSomeAreChosen) {
  BlockSelection selection;
  EXPECT_EQ(selection.FindChosen(5, 100), 5u);
  EXPECT_EQ(selection.FindLeftOut(5, 100), 100u);
}

TEST(BlockSelection, FindsWhatALookAtEachBitFinds) {
  SCOPED_TRACE(TestSeed());
  SeededRandom random(TestSeed());
  for (int round = 0; round < 200; round++) {
    std::vector<uint8_t> bits(random.Below(6));
    for (uint8_t& byte : bits) {
      size_t kind = random.Below(3);
      byte = kind == 0 ? 0 : kind == 1 ? 0xff : static_cast<uint8_t>(random.Below(256));
    }
    BlockSelection selection;
    selection.Assign(bits.data(), bits.size());
    constexpr uint64_t kEnd = 43;
    auto is_chosen = [&](uint64_t block) {
      return block / 8 < bits.size() && (bits[block / 8] >> (block % 8) & 1) != 0;
    };
    for (uint64_t first = 0; first <= kEnd; first++) {
      uint64_t chosen = first, left_out = first;
      while (chosen < kEnd && !is_chosen(chosen)) chosen++;
      while (left_out < kEnd && is_chosen(left_out)) left_out++;
      ASSERT_EQ(selection.FindChosen(first, kEnd), chosen) << first;
      ASSERT_EQ(selection.FindLeftOut(first, kEnd), left_out) << first;
    }
  }
}

}  // namespace
}  // namespace ebs
