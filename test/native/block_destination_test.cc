#include "block_destination.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include "sizes.h"

namespace ebs {
namespace {

class BlockDestinationTest : public testing::Test {
 protected:
  BlockDestinationTest() : file_(std::tmpfile()), block_(kBlockSize) {
    for (size_t i = 0; i < block_.size(); i++) block_[i] = static_cast<uint8_t>(i % 251);
    destination_.fd = fileno(file_);
    destination_.offset = kOffset;
  }
  ~BlockDestinationTest() override { std::fclose(file_); }

  static constexpr uint64_t kOffset = 5 * kBlockSize + 512;

  std::FILE* const file_;
  std::vector<uint8_t> block_;
  BlockDestination destination_;
};

TEST_F(BlockDestinationTest, ExpectsOneBlockAlone) {
  BlockFacts facts = {};
  std::memset(facts.digest, 7, kDigestSize);
  std::memset(destination_.expected_digest, 7, kDigestSize);
  EXPECT_TRUE(destination_.IsExpected(facts));
  facts.digest[kDigestSize - 1] = 8;
  EXPECT_FALSE(destination_.IsExpected(facts));
}

// The digest of a zero block is not set, and could be anything.
TEST_F(BlockDestinationTest, ComparesNoDigestOfZeros) {
  BlockFacts facts = {};
  std::memset(facts.digest, 7, kDigestSize);
  std::memset(destination_.expected_digest, 7, kDigestSize);
  facts.is_zero = true;
  EXPECT_FALSE(destination_.IsExpected(facts));
  destination_.expects_zero = true;
  EXPECT_TRUE(destination_.IsExpected(facts));
  facts.is_zero = false;
  EXPECT_FALSE(destination_.IsExpected(facts));
}

TEST_F(BlockDestinationTest, WritesTheBlockInItsPlace) {
  ASSERT_TRUE(destination_.Write(block_.data()).ok());
  std::vector<uint8_t> found(kOffset + kBlockSize + 1);
  ASSERT_EQ(pread(destination_.fd, found.data(), found.size(), 0),
            static_cast<ssize_t>(kOffset + kBlockSize));
  EXPECT_EQ(std::memcmp(found.data() + kOffset, block_.data(), kBlockSize), 0);
  for (size_t i = 0; i < kOffset; i++) ASSERT_EQ(found[i], 0) << i;
}

// A write is cut at the largest size that a file may have, and the next one fails.
TEST_F(BlockDestinationTest, GoesOnAfterAPartAndTellsWhereItFailed) {
  constexpr size_t kPart = 100'000;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = {.rlim_cur = kOffset + kPart, .rlim_max = before.rlim_max};
  auto on_signal = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Status status = destination_.Write(block_.data());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, on_signal);
  EXPECT_EQ(status.error_number, EFBIG);
  EXPECT_STREQ(status.syscall, "write");
  EXPECT_EQ(status.offset, kOffset + kPart);
}

TEST_F(BlockDestinationTest, TellsTheErrno) {
  destination_.fd = -1;
  Status status = destination_.Write(block_.data());
  EXPECT_EQ(status.error_number, EBADF);
  EXPECT_EQ(status.offset, kOffset);
}

}  // namespace
}  // namespace ebs
