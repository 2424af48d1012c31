#include "extent_map.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <utility>
#include <vector>

#include "sizes.h"
#include "support/fake_disk.h"
#include "support/temporary_file.h"

namespace ebs {

bool operator==(const Extent& a, const Extent& b) {
  return a.end_block == b.end_block && a.is_hole == b.is_hole;
}

void PrintTo(const Extent& extent, std::ostream* out) {
  *out << (extent.is_hole ? "hole" : "data") << " up to " << extent.end_block;
}

namespace {

Extent Data(uint64_t end_block) { return {.end_block = end_block}; }
Extent Hole(uint64_t end_block) { return {.end_block = end_block, .is_hole = true}; }

class ExtentMapTest : public testing::Test {
 protected:
  // A file of ten blocks, the last one with a single byte.
  ExtentMapTest() : disk_(9 * kBlockSize + 1), hooks_(disk_.Hooks()) {}

  ~ExtentMapTest() override { EXPECT_EQ(disk_.open_count, 0); }

  // All extents, up to the end or the first failure.
  std::vector<Extent> FindAll() {
    InterposedSystem system(hooks_);
    SourceFile file;
    EXPECT_TRUE(file.Open(FakeDisk::kPath).ok());
    ExtentMap map;
    map.Start(file);
    std::vector<Extent> extents;
    for (uint64_t block = 0; block < (file.size_bytes() + kBlockSize - 1) / kBlockSize;) {
      Extent extent;
      status_ = map.Find(block, &extent);
      if (!status_.ok()) break;
      // Whoever reads goes on from here: the end must lie ahead.
      EXPECT_GT(extent.end_block, block);
      if (extent.end_block <= block) break;
      extents.push_back(extent);
      block = extent.end_block;
    }
    return extents;
  }

  // Answers SEEK_DATA and SEEK_HOLE from `data` and `hole`.
  void Seek(std::function<off_t(off_t)> data, std::function<off_t(off_t)> hole) {
    hooks_.lseek = [=](int, off_t offset, int whence) {
      return whence == SEEK_DATA ? data(offset) : hole(offset);
    };
  }

  FakeDisk disk_;
  SystemHooks hooks_;
  Status status_;
};

TEST_F(ExtentMapTest, FindsHolesAtBothEndsAndBetween) {
  disk_.holes = {0, 3, 4, 7, 8, 9};
  EXPECT_EQ(FindAll(), (std::vector{Hole(1), Data(3), Hole(5), Data(7), Hole(10)}));
}

TEST_F(ExtentMapTest, TakesAFileWithoutHolesAsOneExtent) {
  EXPECT_EQ(FindAll(), std::vector{Data(10)});
}

TEST_F(ExtentMapTest, TakesAFileWithoutDataAsOneHole) {
  disk_.size_bytes = uint64_t{1} << 46;
  Seek([](off_t) { return static_cast<off_t>(Fail(ENXIO)); }, [](off_t offset) { return offset; });
  EXPECT_EQ(FindAll(), std::vector{Hole(uint64_t{1} << 27)});
}

TEST_F(ExtentMapTest, TakesABlockThatIsPartlyDataAsData) {
  // Data from the last byte of block 2 to the first of block 4.
  constexpr off_t kStart = 3 * kBlockSize - 1, kEnd = 4 * kBlockSize + 1;
  Seek([=](off_t offset) { return offset < kEnd ? std::max(offset, kStart) : Fail(ENXIO); },
       [=](off_t offset) { return std::max(offset, kEnd); });
  EXPECT_EQ(FindAll(), (std::vector{Hole(2), Data(5), Hole(10)}));
}

TEST_F(ExtentMapTest, KnowsTheRestOfAnExtentFromAnyBlockOfIt) {
  disk_.holes = {0, 1, 2, 3, 4};
  InterposedSystem system(hooks_);
  SourceFile file;
  ASSERT_TRUE(file.Open(FakeDisk::kPath).ok());
  ExtentMap map;
  map.Start(file);
  for (uint64_t block : {3, 4, 6, 9}) {
    Extent extent;
    ASSERT_TRUE(map.Find(block, &extent).ok());
    EXPECT_EQ(extent, block < 5 ? Hole(5) : Data(10)) << block;
  }
}

TEST_F(ExtentMapTest, AsksADeviceForNothing) {
  disk_.is_block_device = true;
  disk_.holes = {0, 1};
  hooks_.fdatasync = [](int) {
    ADD_FAILURE();
    return 0;
  };
  EXPECT_EQ(FindAll(), std::vector{Data(10)});
}

TEST_F(ExtentMapTest, ReadsAllWhereDirtyPagesCannotBeFlushed) {
  disk_.holes = {0, 1};
  hooks_.fdatasync = [](int) { return Fail(EIO); };
  EXPECT_EQ(FindAll(), std::vector{Data(10)});
}

TEST_F(ExtentMapTest, FlushesBeforeItAsks) {
  int flushed = 0;
  hooks_.fdatasync = [&](int descriptor) {
    EXPECT_EQ(descriptor, FakeDisk::kBuffered);
    flushed++;
    return 0;
  };
  hooks_.lseek = [&, seek = hooks_.lseek](int descriptor, off_t offset, int whence) {
    EXPECT_EQ(flushed, 1);
    return seek(descriptor, offset, whence);
  };
  FindAll();
  EXPECT_EQ(flushed, 1);
}

// Answers that cannot be true, or errors: from there on, all is read.
TEST_F(ExtentMapTest, TrustsNoFileSystemThatLies) {
  auto here = [](off_t offset) { return offset; };
  auto block_later = [](off_t offset) { return offset + static_cast<off_t>(kBlockSize); };
  auto start = [](off_t) { return off_t{0}; };
  auto failed = [](off_t) { return static_cast<off_t>(Fail(EINVAL)); };
  auto nothing_more = [](off_t) { return static_cast<off_t>(Fail(ENXIO)); };
  const std::vector<std::pair<std::function<off_t(off_t)>, std::function<off_t(off_t)>>> lies = {
      {here, here},          {here, start},         {here, failed},      {here, nothing_more},
      {failed, here},        {failed, block_later}, {block_later, here}, {block_later, start},
      {block_later, failed}, {start, nothing_more}};
  for (size_t lie = 0; lie < lies.size(); lie++) {
    Seek(lies[lie].first, lies[lie].second);
    EXPECT_EQ(FindAll(), std::vector{Data(10)}) << "lie " << lie;
  }
}

TEST_F(ExtentMapTest, BelievesWhatWasSaidBeforeTheFirstLie) {
  constexpr off_t kTrueUpTo = 4 * kBlockSize;
  auto data = [=](off_t offset) { return offset < kTrueUpTo ? kTrueUpTo : off_t{0}; };
  Seek(data, [](off_t offset) { return offset + 1; });
  EXPECT_EQ(FindAll(), (std::vector{Hole(4), Data(10)}));
}

TEST_F(ExtentMapTest, CutsAtTheEndOfTheFileWhatIsSaidToLieBehind) {
  constexpr off_t kFar = INT64_MAX;
  Seek([](off_t offset) { return offset; }, [](off_t) { return kFar; });
  EXPECT_EQ(FindAll(), std::vector{Data(10)});
  Seek([](off_t) { return kFar - 1; }, [](off_t) { return kFar; });
  EXPECT_EQ(FindAll(), std::vector{Hole(10)});
}

TEST_F(ExtentMapTest, SaysThatAFileBecameShorterInPlaceOfAHole) {
  disk_.holes = {2};
  hooks_.lseek = [this, seek = hooks_.lseek](int descriptor, off_t offset, int whence) {
    if (offset == off_t{3 * kBlockSize} && whence == SEEK_DATA) {
      disk_.size_bytes = 3 * kBlockSize + 5;
      return static_cast<off_t>(Fail(ENXIO));
    }
    return seek(descriptor, offset, whence);
  };
  EXPECT_EQ(FindAll(), (std::vector{Data(2), Hole(3)}));
  EXPECT_EQ(status_.error_number, ENODATA);
  EXPECT_STREQ(status_.syscall, "lseek");
  EXPECT_EQ(status_.offset, 3 * kBlockSize + 5);
}

// Whoever reads a range is to fail only if some of it is missing.
TEST_F(ExtentMapTest, TellsTheHoleBeforeTheEndOfAFileThatBecameShorter) {
  disk_.holes = {3, 4, 5, 6, 7, 8, 9};
  hooks_.lseek = [this, seek = hooks_.lseek](int descriptor, off_t offset, int whence) {
    if (offset == off_t{3 * kBlockSize}) disk_.size_bytes = 6 * kBlockSize + 5;
    return seek(descriptor, offset, whence);
  };
  EXPECT_EQ(FindAll(), (std::vector{Data(3), Hole(6)}));
  EXPECT_EQ(status_.error_number, ENODATA);
  EXPECT_EQ(status_.offset, 6 * kBlockSize + 5);
}

TEST_F(ExtentMapTest, SaysThatTheSizeCannotBeHadAnyMore) {
  disk_.holes = {0};
  int fstat_count = 0;
  hooks_.fstat = [&, fstat = hooks_.fstat](int descriptor, struct stat* stats) {
    return fstat_count++ == 0 ? fstat(descriptor, stats) : Fail(EIO);
  };
  Seek([](off_t) { return static_cast<off_t>(Fail(ENXIO)); }, [](off_t offset) { return offset; });
  EXPECT_EQ(FindAll(), std::vector<Extent>{});
  EXPECT_EQ(status_.error_number, EIO);
  EXPECT_STREQ(status_.syscall, "fstat");
}

TEST(ExtentMap, AgreesWithARealFile) {
  TemporaryFile source(std::string(kBlockSize, 'x'));
  ASSERT_EQ(truncate(source.path().c_str(), 64 * kBlockSize), 0);
  SourceFile file;
  ASSERT_TRUE(file.Open(source.path()).ok());
  ExtentMap map;
  map.Start(file);
  Extent extent;
  ASSERT_TRUE(map.Find(0, &extent).ok());
  EXPECT_FALSE(extent.is_hole);
  // A file system may tell of no holes at all.
  ASSERT_TRUE(map.Find(63, &extent).ok());
  EXPECT_EQ(extent.end_block, 64u);
}

}  // namespace
}  // namespace ebs
