#include "zero_scan.h"

#include <gtest/gtest.h>

#include <vector>

#include "sizes.h"
#include "support/fenced_memory.h"

namespace ebs {
namespace {

// Longer than anything a kernel looks at in one step.
constexpr size_t kNear = 300;

class ZeroScanTest : public testing::TestWithParam<ZeroScanKernel> {
 protected:
  static bool IsZero(const uint8_t* bytes, size_t size) { return GetParam().is_zero(bytes, size); }
};

TEST_P(ZeroScanTest, SeesEachSingleBitAroundAPageBorder) {
  std::vector<uint8_t> bytes(3 * kPageSize);
  size_t border = kPageSize - reinterpret_cast<uintptr_t>(bytes.data()) % kPageSize;
  for (size_t offset = border - kNear; offset < border + kNear; offset++) {
    for (int bit = 0; bit < 8; bit++) {
      bytes[offset] = static_cast<uint8_t>(1 << bit);
      ASSERT_FALSE(IsZero(bytes.data(), bytes.size())) << "bit " << bit << " of byte " << offset;
    }
    bytes[offset] = 0;
  }
  EXPECT_TRUE(IsZero(bytes.data(), bytes.size()));
}

TEST_P(ZeroScanTest, FindsZerosOfAnyLengthAndAlignment) {
  std::vector<uint8_t> bytes(1024, 0xff);
  for (size_t start = 1; start < 66; start++) {
    for (size_t size = 0; size < 2 * kNear; size++) {
      std::fill_n(bytes.begin() + start, size, 0);
      ASSERT_TRUE(IsZero(bytes.data() + start, size)) << size << " bytes at " << start;
      std::fill_n(bytes.begin() + start, size, 0xff);
    }
  }
}

TEST_P(ZeroScanTest, SeesAByteAnywhereInAnyLength) {
  std::vector<uint8_t> bytes(1024);
  for (size_t size = 1; size < kNear; size++) {
    for (size_t offset = 0; offset < size; offset++) {
      bytes[13 + offset] = 0x80;
      ASSERT_FALSE(IsZero(bytes.data() + 13, size)) << "byte " << offset << " of " << size;
      bytes[13 + offset] = 0;
    }
  }
}

TEST_P(ZeroScanTest, ReadsNotOneByteBesideTheMemory) {
  FencedMemory memory(1);
  for (size_t size = 0; size <= memory.size(); size += size < 2 * kNear ? 1 : 61) {
    ASSERT_TRUE(IsZero(memory.end() - size, size)) << size;
    ASSERT_TRUE(IsZero(memory.begin(), size)) << size;
  }
}

TEST_P(ZeroScanTest, ScansBlocks) {
  std::vector<uint8_t> block(kBlockSize);
  EXPECT_TRUE(IsZero(block.data(), block.size()));
  block.back() = 1;
  EXPECT_FALSE(IsZero(block.data(), block.size()));
}

INSTANTIATE_TEST_SUITE_P(Kernels, ZeroScanTest,
                         testing::ValuesIn(ZeroScanKernels().begin(), ZeroScanKernels().end()),
                         [](const auto& test) { return test.param.name; });

TEST(ZeroScanKernels, EndWithTheScalarOne) {
  EXPECT_STREQ(ZeroScanKernels().back().name, "scalar");
}

}  // namespace
}  // namespace ebs
