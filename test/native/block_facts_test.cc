#include "block_facts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "sizes.h"
#include "support/nist_vectors.h"

namespace ebs {
namespace {

constexpr uint8_t kUntouched = 0xee;

std::string DigestOf(const uint8_t* block) {
  uint8_t digest[kDigestSize];
  Sha256(Sha256Kernels().back(), {&block, 1}, kBlockSize, digest);
  return ToHex(digest, kDigestSize);
}

std::string DigestOf(const BlockFacts& facts) { return ToHex(facts.digest, kDigestSize); }

// All choices of zero and data in calls of no block to the most.
TEST(InspectBlocks, TellsZeroBlocksAndDigestsOfTheOthersInPlace) {
  std::vector<uint8_t> memory((kInspectedBlocksMax + 1) * kBlockSize);
  const uint8_t* zero = memory.data();
  std::vector<std::string> digests;
  for (size_t i = 0; i < kInspectedBlocksMax; i++) {
    // One set byte, in another place each.
    memory[(i + 2) * kBlockSize - 1 - i * 1000] = 1;
    digests.push_back(DigestOf(zero + (i + 1) * kBlockSize));
  }
  for (const Sha256Kernel& sha256 : Sha256Kernels()) {
    const Kernels kernels = {.sha256 = &sha256, .zero_scan = &ZeroScanKernels().front()};
    for (size_t count = 0; count <= kInspectedBlocksMax; count++) {
      for (size_t zeros = 0; zeros < size_t{1} << count; zeros++) {
        std::vector<const uint8_t*> blocks;
        for (size_t i = 0; i < count; i++) {
          blocks.push_back((zeros >> i & 1) != 0 ? zero : zero + (i + 1) * kBlockSize);
        }
        BlockFacts facts[kInspectedBlocksMax + 1];
        for (BlockFacts& f : facts) std::fill_n(f.digest, kDigestSize, kUntouched);
        InspectBlocks(kernels, blocks, facts);
        for (size_t i = 0; i < count; i++) {
          bool is_zero = (zeros >> i & 1) != 0;
          EXPECT_EQ(facts[i].is_zero, is_zero);
          if (is_zero) continue;
          EXPECT_EQ(DigestOf(facts[i]), digests[i]) << sha256.name;
        }
        EXPECT_EQ(facts[count].digest[0], kUntouched);
      }
    }
  }
}

TEST(InspectBlocksDeathTest, EndsTheProcessWhenGivenTooMany) {
  std::vector<uint8_t> block(kBlockSize);
  std::vector<const uint8_t*> blocks(kInspectedBlocksMax + 1, block.data());
  std::vector<BlockFacts> facts(blocks.size());
  Kernels kernels = {.sha256 = &Sha256Kernels().back(), .zero_scan = &ZeroScanKernels().back()};
  EXPECT_DEATH(InspectBlocks(kernels, blocks, facts.data()), "kInspectedBlocksMax");
}

}  // namespace
}  // namespace ebs
