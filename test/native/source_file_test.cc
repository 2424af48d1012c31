#include "source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sizes.h"
#include "support/fake_disk.h"
#include "support/page_memory.h"
#include "support/temporary_file.h"

namespace ebs {
namespace {

constexpr size_t kTailSize = 777;

struct ReadCall {
  int descriptor;
  uint64_t offset;
  size_t size;

  bool operator==(const ReadCall&) const = default;
};

void PrintTo(const ReadCall& call, std::ostream* out) {
  *out << (call.descriptor == FakeDisk::kDirect ? "direct " : "buffered ") << call.size << " at "
       << call.offset;
}

// A disk of two blocks and a tail, and what is asked of it.
class SourceFileTest : public testing::Test {
 protected:
  static constexpr uint64_t kSize = 2 * kBlockSize + kTailSize;

  SourceFileTest() : disk_(kSize), memory_(3 * kBlockSize), hooks_(disk_.Hooks()) {
    answer_ = hooks_.preadv;
    hooks_.preadv = [this](int descriptor, const iovec* pieces, int count, off_t offset) {
      size_t size = 0;
      for (int i = 0; i < count; i++) size += pieces[i].iov_len;
      calls_.push_back({descriptor, static_cast<uint64_t>(offset), size});
      return answer_(descriptor, pieces, count, offset);
    };
  }

  // Makes the call number `number`, from 0, fail.
  void FailCall(size_t number, int error_number) {
    answer_ = [this, number, error_number, answer = answer_](int descriptor, const iovec* pieces,
                                                             int count, off_t offset) {
      if (calls_.size() == number + 1) return static_cast<ssize_t>(Fail(error_number));
      return answer(descriptor, pieces, count, offset);
    };
  }

  // Reads [offset, offset + size) in pieces of a block each.
  Status Read(uint64_t offset, size_t size) {
    std::vector<iovec> pieces;
    for (size_t done = 0; done < size; done += kBlockSize) {
      pieces.push_back({memory_.bytes() + done, std::min(kBlockSize, size - done)});
    }
    return file_.Read(pieces, offset);
  }

  bool HasRead(uint64_t offset, size_t size) {
    std::vector<uint8_t> expected(size);
    disk_.Fill(expected.data(), size, offset);
    return std::equal(expected.begin(), expected.end(), memory_.bytes()) &&
           memory_.bytes()[size] == 0xdb;
  }

  FakeDisk disk_;
  PageMemory memory_;
  SystemHooks hooks_;
  decltype(SystemHooks::preadv) answer_;
  std::vector<ReadCall> calls_;
  SourceFile file_;
};

TEST_F(SourceFileTest, ReadsPastThePageCacheWhatIsAlignedAndTheTailThroughIt) {
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  EXPECT_EQ(file_.size_bytes(), kSize);
  EXPECT_FALSE(file_.is_block_device());
  EXPECT_TRUE(file_.is_direct());
  ASSERT_TRUE(Read(0, kSize).ok());
  EXPECT_TRUE(HasRead(0, kSize));
  EXPECT_EQ(calls_, (std::vector<ReadCall>{{FakeDisk::kDirect, 0, 2 * kBlockSize},
                                           {FakeDisk::kBuffered, 2 * kBlockSize, kTailSize}}));
  file_.Close();
  EXPECT_EQ(disk_.open_count, 0);
  file_.Close();
  EXPECT_EQ(disk_.open_count, 0);
}

TEST_F(SourceFileTest, TakesTheSizeOfADeviceFromItsEnd) {
  disk_.is_block_device = true;
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  EXPECT_TRUE(file_.is_block_device());
  EXPECT_EQ(file_.size_bytes(), kSize);
  file_.Close();
}

TEST_F(SourceFileTest, ReadsThroughThePageCacheWhereItCannotBeAvoided) {
  disk_.takes_direct = false;
  std::vector<uint64_t> dropped;
  hooks_.posix_fadvise = [&](int descriptor, off_t offset, off_t size, int advice) {
    EXPECT_EQ(descriptor, FakeDisk::kBuffered);
    EXPECT_EQ(advice, POSIX_FADV_DONTNEED);
    dropped.push_back(static_cast<uint64_t>(offset + size));
    return 0;
  };
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  EXPECT_FALSE(file_.is_direct());
  ASSERT_TRUE(Read(0, kSize).ok());
  EXPECT_TRUE(HasRead(0, kSize));
  EXPECT_EQ(calls_, (std::vector<ReadCall>{{FakeDisk::kBuffered, 0, kSize}}));
  EXPECT_EQ(dropped, std::vector<uint64_t>{kSize});
  file_.Close();
}

// Some file systems let a file be opened with O_DIRECT, and refuse to read.
TEST_F(SourceFileTest, TriesOnePageToLearnWhetherDirectReadsAreRefused) {
  hooks_.pread = [](int, void*, size_t, off_t) { return static_cast<ssize_t>(Fail(EINVAL)); };
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  EXPECT_FALSE(file_.is_direct());
  EXPECT_EQ(disk_.open_count, 1);
  file_.Close();
  EXPECT_EQ(disk_.open_count, 0);
}

TEST_F(SourceFileTest, LeavesAnyOtherFailureOfTheTriedPageToTheReading) {
  disk_.bad_offset = 0;
  disk_.bad_error = EIO;
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  EXPECT_TRUE(file_.is_direct());
  Status status = Read(0, kBlockSize);
  EXPECT_EQ(status.error_number, EIO);
  EXPECT_EQ(status.offset, 0u);
  file_.Close();
}

TEST_F(SourceFileTest, ReadsThroughThePageCacheWhatIsRefusedInBetween) {
  FailCall(0, EINVAL);
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  ASSERT_TRUE(Read(0, kBlockSize).ok());
  EXPECT_TRUE(HasRead(0, kBlockSize));
  EXPECT_EQ(calls_, (std::vector<ReadCall>{{FakeDisk::kDirect, 0, kBlockSize},
                                           {FakeDisk::kBuffered, 0, kBlockSize}}));
  file_.Close();
}

// Each answer ends one byte, one page, and so on, further on than the one before.
TEST_F(SourceFileTest, CompletesShortReads) {
  for (size_t step : {size_t{1000}, kPageSize, kPageSize + 1, kBlockSize - 1, kBlockSize}) {
    for (size_t start : {size_t{0}, kPageSize, size_t{513}}) {
      size_t size = kSize - start;
      SystemHooks hooks = hooks_;
      hooks.preadv = [this, step](int descriptor, const iovec* pieces, int, off_t offset) {
        iovec piece = {pieces->iov_base, std::min(pieces->iov_len, step)};
        // A direct read ends on a sector.
        if (descriptor == FakeDisk::kDirect) piece.iov_len = (piece.iov_len + 511) / 512 * 512;
        return disk_.Hooks().preadv(FakeDisk::kBuffered, &piece, 1, offset);
      };
      InterposedSystem system(hooks);
      ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
      std::fill_n(memory_.bytes(), 3 * kBlockSize, 0xdb);
      ASSERT_TRUE(Read(start, size).ok());
      EXPECT_TRUE(HasRead(start, size)) << "steps of " << step << " from " << start;
      file_.Close();
    }
  }
}

TEST_F(SourceFileTest, TriesAgainWhenASignalComes) {
  hooks_.open = [open = hooks_.open, count = 0](const char* path, int flags) mutable {
    return count++ % 3 < 2 ? Fail(EINTR) : open(path, flags);
  };
  FailCall(0, EINTR);
  FailCall(1, EINTR);
  FailCall(3, EINTR);
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  EXPECT_TRUE(file_.is_direct());
  ASSERT_TRUE(Read(0, kSize).ok());
  EXPECT_TRUE(HasRead(0, kSize));
  EXPECT_EQ(calls_.size(), 5u);
  // A signal is no reason to leave direct reads.
  EXPECT_EQ(calls_[2], (ReadCall{FakeDisk::kDirect, 0, 2 * kBlockSize}));
  file_.Close();
}

TEST_F(SourceFileTest, FindsTheFirstPageThatCannotBeRead) {
  disk_.bad_offset = kBlockSize + 5 * kPageSize + 100;
  disk_.bad_error = EIO;
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  Status status = Read(0, kSize);
  EXPECT_EQ(status.error_number, EIO);
  EXPECT_STREQ(status.syscall, "read");
  EXPECT_EQ(status.offset, kBlockSize + 5 * kPageSize);
  file_.Close();
}

TEST_F(SourceFileTest, SaysWhereAFileThatBecameShorterEnds) {
  InterposedSystem system(hooks_);
  ASSERT_TRUE(file_.Open(FakeDisk::kPath).ok());
  disk_.size_bytes = kBlockSize + 12'345;
  Status status = Read(0, kSize);
  EXPECT_EQ(status.error_number, ENODATA);
  EXPECT_EQ(status.offset, kBlockSize + 12'345);
  EXPECT_EQ(file_.size_bytes(), kSize);
  file_.Close();
}

TEST_F(SourceFileTest, ClosesWhatItOpenedWhenTheSizeCannotBeHad) {
  hooks_.fstat = [](int, struct stat*) { return Fail(EOVERFLOW); };
  InterposedSystem system(hooks_);
  Status status = file_.Open(FakeDisk::kPath);
  EXPECT_EQ(status.error_number, EOVERFLOW);
  EXPECT_STREQ(status.syscall, "fstat");
  EXPECT_EQ(disk_.open_count, 0);
}

TEST_F(SourceFileTest, SaysThatADeviceHasNoEnd) {
  disk_.is_block_device = true;
  hooks_.lseek = [](int, off_t, int) { return static_cast<off_t>(Fail(EIO)); };
  InterposedSystem system(hooks_);
  Status status = file_.Open(FakeDisk::kPath);
  EXPECT_EQ(status.error_number, EIO);
  EXPECT_STREQ(status.syscall, "lseek");
  EXPECT_EQ(disk_.open_count, 0);
}

TEST(SourceFile, OpensNeitherFoldersNorDevicesThatCannotBeReadTwice) {
  SystemHooks hooks;
  hooks.open = [](const char*, int) {
    ADD_FAILURE() << "to open is to act";
    return Fail(EIO);
  };
  InterposedSystem system(hooks);
  SourceFile file;
  EXPECT_EQ(file.Open("/dev").error_number, EISDIR);
  EXPECT_EQ(file.Open("/dev/zero").error_number, ESPIPE);
  EXPECT_EQ(file.Open("/nonexistent").error_number, ENOENT);
  EXPECT_STREQ(file.Open("/nonexistent").syscall, "stat");
}

TEST(SourceFile, ReadsARealFile) {
  std::string content(kBlockSize + 10, 'x');
  content[kPageSize] = 'y';
  TemporaryFile source(content);
  SourceFile file;
  ASSERT_TRUE(file.Open(source.path()).ok());
  EXPECT_EQ(file.size_bytes(), content.size());
  PageMemory memory(2 * kBlockSize);
  iovec piece = {memory.bytes(), content.size()};
  ASSERT_TRUE(file.Read({&piece, 1}, 0).ok());
  EXPECT_TRUE(std::equal(content.begin(), content.end(), memory.bytes()));
  piece = {memory.bytes(), 11};
  EXPECT_EQ(file.Read({&piece, 1}, kBlockSize).error_number, ENODATA);
}

}  // namespace
}  // namespace ebs
