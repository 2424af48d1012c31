#include "target_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sizes.h"
#include "support/interposed_system.h"
#include "support/page_memory.h"
#include "support/temporary_file.h"

namespace ebs {
namespace {

constexpr size_t kTailSize = 777;
constexpr size_t kFileSize = 2 * kBlockSize;

struct WriteCall {
  bool is_direct;
  uint64_t offset;
  size_t size;

  bool operator==(const WriteCall&) const = default;
};

void PrintTo(const WriteCall& call, std::ostream* out) {
  *out << (call.is_direct ? "direct " : "buffered ") << call.size << " at " << call.offset;
}

// A file of old bytes, written through a TargetFile whose calls are seen and may fail.
class TargetFileTest : public testing::Test {
 protected:
  TargetFileTest() : file_(std::string(kFileSize, 'o')), memory_(kFileSize) {
    descriptor_ = open(file_.path().c_str(), O_RDWR | O_CLOEXEC);
    hooks_.pwrite = [this](int descriptor, const void* bytes, size_t size, off_t offset) {
      bool is_direct = (fcntl(descriptor, F_GETFL) & O_DIRECT) != 0;
      calls_.push_back({is_direct, static_cast<uint64_t>(offset), size});
      return answer_(descriptor, bytes, size, offset);
    };
    std::fill_n(memory_.bytes(), kFileSize, 'n');
  }

  ~TargetFileTest() override { close(descriptor_); }

  // Makes the write number `number`, from 0, fail.
  void FailWrite(size_t number, int error_number) {
    answer_ = [this, number, error_number](int descriptor, const void* bytes, size_t size,
                                           off_t offset) -> ssize_t {
      if (calls_.size() == number + 1) return Fail(error_number);
      return __real_pwrite(descriptor, bytes, size, offset);
    };
  }

  Status Write(uint64_t offset, size_t size, size_t memory_offset = 0) {
    InterposedSystem system(hooks_);
    TargetFile target;
    Status status = target.Open(descriptor_);
    if (!status.ok()) return status;
    is_direct_ = target.is_direct();
    return target.Write(memory_.bytes() + memory_offset, size, offset);
  }

  Status Clear(uint64_t offset, uint64_t size) {
    InterposedSystem system(hooks_);
    TargetFile target;
    Status status = target.Open(descriptor_);
    return status.ok() ? target.Clear(offset, size) : status;
  }

  // The file, old bytes but for [offset, offset + size).
  static std::string Expected(uint64_t offset, size_t size, char with) {
    std::string bytes(kFileSize, 'o');
    std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(offset), size, with);
    return bytes;
  }

  std::string Content() const {
    std::string bytes(kFileSize, '\0');
    EXPECT_EQ(pread(descriptor_, bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

  TemporaryFile file_;
  PageMemory memory_;
  int descriptor_;
  SystemHooks hooks_;
  std::vector<WriteCall> calls_;
  std::function<ssize_t(int, const void*, size_t, off_t)> answer_ = __real_pwrite;
  bool is_direct_ = false;
};

TEST_F(TargetFileTest, WritesWholePagesPastTheCacheAndTheRestThroughIt) {
  ASSERT_TRUE(Write(kPageSize, kBlockSize + kTailSize).ok());
  EXPECT_TRUE(Content() == Expected(kPageSize, kBlockSize + kTailSize, 'n'));
  if (!is_direct_) GTEST_SKIP() << "the file system has no O_DIRECT";
  std::vector<WriteCall> expected = {{true, kPageSize, kBlockSize},
                                     {false, kPageSize + kBlockSize, kTailSize}};
  EXPECT_EQ(calls_, expected);
}

TEST_F(TargetFileTest, WritesThroughTheCacheWhatIsNotAligned) {
  ASSERT_TRUE(Write(512, kPageSize).ok());
  ASSERT_TRUE(Write(kPageSize, kPageSize, 8).ok());
  std::vector<WriteCall> expected = {{false, 512, kPageSize}, {false, kPageSize, kPageSize}};
  EXPECT_EQ(calls_, expected);
  EXPECT_TRUE(Content() == Expected(512, 2 * kPageSize - 512, 'n'));
}

TEST_F(TargetFileTest, GoesThroughTheCacheWhereAWritePastItIsRefused) {
  answer_ = [this](int descriptor, const void* bytes, size_t size, off_t offset) -> ssize_t {
    return calls_.back().is_direct ? Fail(EINVAL) : __real_pwrite(descriptor, bytes, size, offset);
  };
  ASSERT_TRUE(Write(0, kBlockSize).ok());
  EXPECT_TRUE(Content() == Expected(0, kBlockSize, 'n'));
  EXPECT_FALSE(calls_.back().is_direct);
}

TEST_F(TargetFileTest, GoesThroughTheCacheWhereTheFileSystemTakesNoODirect) {
  hooks_.open = [](const char* path, int flags) {
    return (flags & O_DIRECT) != 0 ? Fail(EINVAL) : __real_open(path, flags);
  };
  ASSERT_TRUE(Write(0, kBlockSize).ok());
  EXPECT_FALSE(is_direct_);
  EXPECT_TRUE(Content() == Expected(0, kBlockSize, 'n'));
}

TEST_F(TargetFileTest, CompletesShortAndInterruptedWrites) {
  answer_ = [this](int descriptor, const void* bytes, size_t size, off_t offset) -> ssize_t {
    if (calls_.size() % 3 == 0) return Fail(EINTR);
    return __real_pwrite(descriptor, bytes, std::min<size_t>(size, 5 * kPageSize), offset);
  };
  ASSERT_TRUE(Write(0, kBlockSize + kTailSize).ok());
  EXPECT_TRUE(Content() == Expected(0, kBlockSize + kTailSize, 'n'));
}

TEST_F(TargetFileTest, TellsWhereAWriteFailed) {
  answer_ = [this](int descriptor, const void* bytes, size_t size, off_t offset) -> ssize_t {
    if (calls_.size() == 2) return Fail(ENOSPC);
    return __real_pwrite(descriptor, bytes, std::min<size_t>(size, kPageSize), offset);
  };
  Status status = Write(kBlockSize, kBlockSize);
  EXPECT_EQ(status.error_number, ENOSPC);
  EXPECT_STREQ(status.syscall, "write");
  EXPECT_EQ(status.offset, kBlockSize + kPageSize);
}

TEST_F(TargetFileTest, DoesNotTryForEverWhatTakesNothing) {
  answer_ = [](int, const void*, size_t, off_t) -> ssize_t { return 0; };
  EXPECT_EQ(Write(0, kPageSize).error_number, EIO);
}

TEST_F(TargetFileTest, ClearsToAHole) {
  ASSERT_TRUE(Clear(0, kFileSize).ok());
  EXPECT_TRUE(Content() == std::string(kFileSize, '\0'));
  struct stat stats;
  ASSERT_EQ(fstat(descriptor_, &stats), 0);
  EXPECT_EQ(stats.st_size, static_cast<off_t>(kFileSize));
}

TEST_F(TargetFileTest, WritesZerosWhereThereAreNoHoles) {
  hooks_.fallocate = [](int, int, off_t, off_t) { return Fail(EOPNOTSUPP); };
  ASSERT_TRUE(Clear(100, kBlockSize + 100).ok());
  EXPECT_TRUE(Content() == Expected(100, kBlockSize + 100, '\0'));
  EXPECT_FALSE(calls_.empty());
}

TEST_F(TargetFileTest, TellsWhereAClearFailed) {
  hooks_.fallocate = [](int, int, off_t, off_t) { return Fail(EIO); };
  Status status = Clear(kPageSize, kPageSize);
  EXPECT_EQ(status.error_number, EIO);
  EXPECT_STREQ(status.syscall, "fallocate");
  EXPECT_EQ(status.offset, kPageSize);
}

TEST_F(TargetFileTest, TellsThatASyncFailed) {
  hooks_.fsync = [](int) { return Fail(EIO); };
  InterposedSystem system(hooks_);
  TargetFile target;
  ASSERT_TRUE(target.Open(descriptor_).ok());
  EXPECT_EQ(target.Sync().error_number, EIO);
}

TEST_F(TargetFileTest, StaysOpenWhenItsOwnersDescriptorIsClosed) {
  TargetFile target;
  ASSERT_TRUE(target.Open(descriptor_).ok());
  close(descriptor_);
  // Takes the number that was closed; nothing may be written to it.
  TemporaryFile other("other");
  int reused = open(other.path().c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_TRUE(target.Write(memory_.bytes(), kPageSize, 0).ok());
  struct stat stats;
  ASSERT_EQ(fstat(reused, &stats), 0);
  EXPECT_EQ(stats.st_size, 5);
  close(reused);
  descriptor_ = open(file_.path().c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_TRUE(Content() == Expected(0, kPageSize, 'n'));
}

TEST_F(TargetFileTest, ClosesWhatItHasOpenedWhenItCannotBeUsed) {
  TargetFile target;
  EXPECT_EQ(target.Open(-1).error_number, EBADF);
}

}  // namespace
}  // namespace ebs
