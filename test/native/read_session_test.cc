#include "read_session.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/fake_disk.h"
#include "support/gate.h"
#include "support/nist_vectors.h"
#include "support/page_memory.h"
#include "support/seeded_random.h"
#include "support/temporary_file.h"
#include "support/thread_watch.h"

namespace ebs {
namespace {

// Pieces of work that ReadSession claims and has not handed out, at most.
constexpr uint64_t kRingSize = 16;

Kernels FastestKernels() {
  return {.sha256 = &Sha256Kernels().front(), .zero_scan = &ZeroScanKernels().front()};
}

// A session with memory of its own, and its caller.
class Caller {
 public:
  explicit Caller(ReadRequest request) : memory_(request.slot_count * kBlockSize) {
    request.memory = memory_.bytes();
    request.kernels = FastestKernels();
    session_ = std::make_unique<ReadSession>(
        request, [this] { changed_.Pass(); }, [this] { ended_.Pass(); });
  }

  ReadSession& session() { return *session_; }
  void DestroySession() { session_.reset(); }
  const uint8_t* SlotBytes(const BlockRun& run) const {
    return memory_.bytes() + static_cast<size_t>(run.slot) * kBlockSize;
  }
  int change_count() { return changed_.count(); }
  int end_count() { return ended_.count(); }

  Progress Open() {
    EXPECT_TRUE(session_->Start());
    return Wait([this] { return session_->Opened(&info, &status); });
  }

  // Waits for blocks, the end or a failure.
  Progress Take(std::vector<BlockRun>* runs) {
    runs->clear();
    return Wait([&] { return session_->Take(runs, &status); });
  }

  void WaitUntilEnded() {
    Wait([this] { return session_->HasEnded() ? Progress::kEnd : Progress::kNothingNew; });
  }

  SourceInfo info;
  Status status;

 private:
  Progress Wait(const std::function<Progress()>& ask) {
    for (;;) {
      Progress progress = ask();
      if (progress != Progress::kNothingNew) return progress;
      session_->WaitForChange();
      changed_.WaitFor(++wait_count_);
    }
  }

  PageMemory memory_;
  Gate changed_;
  Gate ended_;
  int wait_count_ = 0;
  std::unique_ptr<ReadSession> session_;
};

class ReadSessionTest : public testing::Test {
 protected:
  ReadSessionTest() : disk_(40 * kBlockSize), hooks_(disk_.Hooks()) {
    hooks_.preadv = [this, preadv = hooks_.preadv](int descriptor, const iovec* pieces, int count,
                                                   off_t offset) {
      if (before_read_) before_read_(static_cast<uint64_t>(offset) / kBlockSize);
      ssize_t size = preadv(descriptor, pieces, count, offset);
      if (size > 0) read_bytes_ += static_cast<uint64_t>(size);
      return size;
    };
  }

  ~ReadSessionTest() override { EXPECT_EQ(disk_.open_count, 0); }

  static ReadRequest Request(uint32_t slot_count, uint32_t thread_count) {
    ReadRequest request;
    request.path = FakeDisk::kPath;
    request.slot_count = slot_count;
    request.thread_count = thread_count;
    return request;
  }

  // Looks at the runs of one Take, which go on from `*next_block`.
  void ExpectRuns(const Caller& caller, const std::vector<BlockRun>& runs, uint64_t* next_block) {
    for (const BlockRun& run : runs) {
      EXPECT_EQ(run.first_block, *next_block);
      EXPECT_GT(run.count, 0u);
      for (uint64_t block = run.first_block; block < run.first_block + run.count; block++) {
        EXPECT_EQ(run.slot == BlockRun::kHole, disk_.holes.contains(block)) << block;
        EXPECT_EQ(run.slot == BlockRun::kZero, disk_.zeros.contains(block)) << block;
      }
      *next_block += run.count;
      if (run.slot < 0) continue;
      EXPECT_EQ(run.count, 1u);
      ExpectBlock(caller.SlotBytes(run), run);
    }
  }

  // That the memory has this block, and the run the digest of it.
  void ExpectBlock(const uint8_t* bytes, const BlockRun& run) {
    EXPECT_TRUE(disk_.IsBlock(bytes, run.first_block)) << run.first_block;
    uint8_t digest[kDigestSize];
    Sha256(*FastestKernels().sha256, {&bytes, 1}, kBlockSize, digest);
    EXPECT_EQ(ToHex(run.digest, kDigestSize), ToHex(digest, kDigestSize)) << run.first_block;
  }

  // Takes blocks and gives their slots back at once, up to the end or a failure.
  Progress TakeAll(Caller* caller, uint64_t* next_block) {
    std::vector<BlockRun> runs;
    Progress progress;
    while ((progress = caller->Take(&runs)) == Progress::kReady) {
      ExpectRuns(*caller, runs, next_block);
      for (const BlockRun& run : runs) {
        EXPECT_EQ(caller->session().GiveBack(run.slot), run.slot >= 0);
      }
    }
    return progress;
  }

  // Holes, zeros and data in short runs.
  void MixBlocks(uint64_t seed) {
    SeededRandom random(seed);
    for (uint64_t block = 0; block < disk_.BlockCount();) {
      size_t kind = random.Below(4);
      for (uint64_t end = block + 1 + random.Below(6); block < end; block++) {
        if (kind == 0) disk_.holes.insert(block);
        if (kind == 1) disk_.zeros.insert(block);
      }
    }
  }

  FakeDisk disk_;
  SystemHooks hooks_;
  std::function<void(uint64_t block)> before_read_;
  std::atomic<uint64_t> read_bytes_{0};
};

TEST_F(ReadSessionTest, HandsOutEveryBlockOnceInOrder) {
  SCOPED_TRACE(TestSeed());
  disk_.size_bytes = 150 * kBlockSize + 4321;
  MixBlocks(TestSeed());
  InterposedSystem system(hooks_);
  for (auto [slots, threads] : {std::pair{1, 1}, {3, 2}, {8, 4}, {40, 8}, {2, 8}}) {
    SCOPED_TRACE(testing::Message() << slots << " slots, " << threads << " threads");
    Caller caller(Request(slots, threads));
    ASSERT_EQ(caller.Open(), Progress::kReady);
    EXPECT_EQ(caller.info.size_bytes, disk_.size_bytes);
    EXPECT_TRUE(caller.info.is_direct);
    uint64_t next_block = 0;
    EXPECT_EQ(TakeAll(&caller, &next_block), Progress::kEnd);
    EXPECT_EQ(next_block, 151u);
    std::vector<BlockRun> runs;
    EXPECT_EQ(caller.Take(&runs), Progress::kEnd);
    caller.WaitUntilEnded();
    EXPECT_EQ(disk_.open_count, 0);
  }
}

TEST_F(ReadSessionTest, FillsNoSlotThatTheCallerHas) {
  SCOPED_TRACE(TestSeed());
  SeededRandom random(TestSeed());
  disk_.size_bytes = 120 * kBlockSize;
  MixBlocks(TestSeed() + 1);
  InterposedSystem system(hooks_);
  constexpr uint32_t kSlots = 9;
  Caller caller(Request(kSlots, 4));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  std::vector<BlockRun> runs, held;
  uint64_t next_block = 0;
  while (caller.Take(&runs) == Progress::kReady) {
    ExpectRuns(caller, runs, &next_block);
    for (const BlockRun& run : runs) {
      if (run.slot >= 0) held.push_back(run);
    }
    // In any order and number, but one at least when all are held.
    size_t kept = random.Below(kSlots);
    while (held.size() > kept) {
      size_t chosen = random.Below(held.size());
      ExpectBlock(caller.SlotBytes(held[chosen]), held[chosen]);
      EXPECT_TRUE(caller.session().GiveBack(held[chosen].slot));
      EXPECT_FALSE(caller.session().GiveBack(kSlots));
      held.erase(held.begin() + static_cast<ptrdiff_t>(chosen));
    }
  }
  EXPECT_EQ(next_block, 120u);
  caller.WaitUntilEnded();
  for (const BlockRun& run : held) {
    ExpectBlock(caller.SlotBytes(run), run);
    EXPECT_TRUE(caller.session().GiveBack(run.slot));
    EXPECT_FALSE(caller.session().GiveBack(run.slot));
  }
}

TEST_F(ReadSessionTest, ReadsNoFurtherThanItHasSlots) {
  InterposedSystem system(hooks_);
  Caller caller(Request(5, 3));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  EXPECT_EQ(read_bytes_, 0u);
  std::vector<BlockRun> runs, taken;
  while (taken.size() < 5) {
    ASSERT_EQ(caller.Take(&runs), Progress::kReady);
    taken.insert(taken.end(), runs.begin(), runs.end());
  }
  for (uint64_t given_back = 0; given_back < 5; given_back++) {
    WaitUntilThreadsSleep("ebs-read", 3);
    EXPECT_EQ(read_bytes_, (5 + given_back) * kBlockSize);
    EXPECT_TRUE(caller.session().GiveBack(taken[given_back].slot));
    ASSERT_EQ(caller.Take(&runs), Progress::kReady);
    ASSERT_EQ(runs.size(), 1u);
    EXPECT_EQ(runs[0].first_block, 5 + given_back);
  }
}

TEST_F(ReadSessionTest, FollowsALimitThatChangesWhileItReads) {
  InterposedSystem system(hooks_);
  Caller caller(Request(4, 2));
  PageMemory added(3 * kBlockSize);
  ASSERT_EQ(caller.Open(), Progress::kReady);
  std::vector<BlockRun> runs, held;
  auto take_until = [&](size_t count) {
    while (held.size() < count) {
      ASSERT_EQ(caller.Take(&runs), Progress::kReady);
      held.insert(held.end(), runs.begin(), runs.end());
    }
    WaitUntilThreadsSleep("ebs-read", 2);
    EXPECT_EQ(held.size(), count);
    EXPECT_EQ(read_bytes_, held.back().first_block * kBlockSize + kBlockSize);
  };
  take_until(4);
  caller.session().AddSlots(added.bytes(), 3);
  take_until(7);
  for (const BlockRun& run : held) {
    bool is_added = run.slot >= 4;
    ExpectBlock(is_added ? added.bytes() + (run.slot - 4) * kBlockSize : caller.SlotBytes(run),
                run);
  }
  caller.session().LimitSlots(2);
  for (; held.size() > 2; held.pop_back()) {
    EXPECT_TRUE(caller.session().GiveBack(held.back().slot));
  }
  WaitUntilThreadsSleep("ebs-read", 2);
  EXPECT_EQ(read_bytes_, 7 * kBlockSize);
  EXPECT_TRUE(caller.session().GiveBack(held.back().slot));
  ASSERT_EQ(caller.Take(&runs), Progress::kReady);
  EXPECT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].first_block, 7u);
}

TEST_F(ReadSessionTest, ClaimsNoMoreThanTheRingHolds) {
  disk_.size_bytes = 3 * kRingSize * kBlockSize;
  for (uint64_t block = 1; block < disk_.BlockCount(); block += 2) disk_.holes.insert(block);
  InterposedSystem system(hooks_);
  Caller caller(Request(2 * kRingSize, 3));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  std::vector<BlockRun> runs;
  Status status;
  // The first call starts the reading; whatever it brings, the ring has room for the rest.
  caller.session().Take(&runs, &status);
  uint64_t taken = 0;
  for (const BlockRun& run : runs) taken += run.count;
  WaitUntilThreadsSleep("ebs-read", 3);
  EXPECT_EQ(read_bytes_, (taken + kRingSize) / 2 * kBlockSize);
}

TEST_F(ReadSessionTest, ReadsARangeAndCutsItAtTheEnd) {
  InterposedSystem system(hooks_);
  struct Range {
    uint64_t first, count, end;
  };
  for (auto [first, count, end] : {Range{3, 9, 12},
                                   {38, 9, 40},
                                   {39, UINT64_MAX, 40},
                                   {0, 0, 0},
                                   {7, 0, 7},
                                   {40, 1, 40},
                                   {UINT64_MAX, 5, 40}}) {
    ReadRequest request = Request(4, 2);
    request.first_block = first;
    request.block_count = count;
    Caller caller(request);
    ASSERT_EQ(caller.Open(), Progress::kReady);
    uint64_t next_block = std::min<uint64_t>(first, 40);
    EXPECT_EQ(TakeAll(&caller, &next_block), Progress::kEnd);
    EXPECT_EQ(next_block, end);
  }
}

TEST_F(ReadSessionTest, ReadsTheBlocksThatWereSelectedAndNoOther) {
  SCOPED_TRACE(TestSeed());
  disk_.size_bytes = 150 * kBlockSize + 4321;
  MixBlocks(TestSeed());
  SeededRandom random(TestSeed() + 1);
  std::vector<uint8_t> bits(19);
  for (uint8_t& byte : bits) byte = static_cast<uint8_t>(random.Below(256));
  std::vector<uint64_t> selected;
  for (uint64_t block = 0; block < disk_.BlockCount(); block++) {
    if ((bits[block / 8] >> (block % 8) & 1) != 0) selected.push_back(block);
  }
  std::atomic<bool> is_other_read{false};
  before_read_ = [&](uint64_t block) {
    if ((bits[block / 8] >> (block % 8) & 1) == 0) is_other_read = true;
  };
  InterposedSystem system(hooks_);
  for (auto [slots, threads] : {std::pair{1, 1}, {8, 4}, {2, 8}}) {
    SCOPED_TRACE(testing::Message() << slots << " slots, " << threads << " threads");
    Caller caller(Request(slots, threads));
    ASSERT_EQ(caller.Open(), Progress::kReady);
    caller.session().Select(bits.data(), bits.size());
    std::vector<uint64_t> read;
    std::vector<BlockRun> runs;
    Progress progress;
    while ((progress = caller.Take(&runs)) == Progress::kReady) {
      for (const BlockRun& run : runs) {
        uint64_t next_block = run.first_block;
        ExpectRuns(caller, {run}, &next_block);
        for (uint64_t block = run.first_block; block < next_block; block++) read.push_back(block);
        caller.session().GiveBack(run.slot);
      }
    }
    EXPECT_EQ(progress, Progress::kEnd);
    EXPECT_EQ(read, selected);
    EXPECT_FALSE(is_other_read);
  }
}

TEST_F(ReadSessionTest, IsAtTheEndWhenNothingWasSelected) {
  InterposedSystem system(hooks_);
  Caller caller(Request(2, 2));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  const uint8_t none = 0;
  caller.session().Select(&none, 1);
  std::vector<BlockRun> runs;
  EXPECT_EQ(caller.Take(&runs), Progress::kEnd);
  EXPECT_EQ(read_bytes_, 0u);
}

TEST_F(ReadSessionTest, PadsThePartialBlockAtTheEndWithZeros) {
  disk_.size_bytes = 3 * kBlockSize + 1;
  InterposedSystem system(hooks_);
  Caller caller(Request(1, 1));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  uint64_t next_block = 0;
  EXPECT_EQ(TakeAll(&caller, &next_block), Progress::kEnd);
  EXPECT_EQ(next_block, 4u);
  EXPECT_EQ(read_bytes_, disk_.size_bytes);
}

TEST_F(ReadSessionTest, TellsAHoleOf64TebibytesAsOneRun) {
  disk_.size_bytes = uint64_t{1} << 46;
  hooks_.lseek = [](int, off_t, int) { return static_cast<off_t>(Fail(ENXIO)); };
  InterposedSystem system(hooks_);
  Caller caller(Request(1, 2));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  std::vector<BlockRun> runs;
  ASSERT_EQ(caller.Take(&runs), Progress::kReady);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].count, uint64_t{1} << 27);
  EXPECT_EQ(runs[0].slot, BlockRun::kHole);
  EXPECT_EQ(read_bytes_, 0u);
}

TEST_F(ReadSessionTest, HandsOutWhatComesBeforeAFailureAndThenTheFailure) {
  disk_.bad_offset = 17 * kBlockSize + 3 * kPageSize + 7;
  disk_.bad_error = EIO;
  InterposedSystem system(hooks_);
  for (uint32_t threads : {1, 2, 8}) {
    Caller caller(Request(12, threads));
    ASSERT_EQ(caller.Open(), Progress::kReady);
    uint64_t next_block = 0;
    EXPECT_EQ(TakeAll(&caller, &next_block), Progress::kFailed);
    // Blocks of the piece of work that failed are not told, good ones or not.
    EXPECT_LE(next_block, 17u);
    EXPECT_GT(next_block + kRunBlocksMax, 17u);
    for (int again = 0; again < 2; again++) {
      EXPECT_EQ(caller.status.error_number, EIO);
      EXPECT_EQ(caller.status.offset, 17 * kBlockSize + 3 * kPageSize);
      caller.status = {};
      std::vector<BlockRun> runs;
      EXPECT_EQ(caller.Take(&runs), Progress::kFailed);
      EXPECT_TRUE(runs.empty());
    }
    caller.WaitUntilEnded();
    EXPECT_EQ(disk_.open_count, 0);
  }
}

TEST_F(ReadSessionTest, LeavesNoSlotTakenForBlocksThatCouldNotBeRead) {
  disk_.bad_offset = 6 * kBlockSize;
  disk_.bad_error = EIO;
  InterposedSystem system(hooks_);
  Caller caller(Request(8, 1));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  uint64_t next_block = 0;
  EXPECT_EQ(TakeAll(&caller, &next_block), Progress::kFailed);
  for (uint32_t slot = 0; slot < 8; slot++) EXPECT_FALSE(caller.session().GiveBack(slot)) << slot;
}

TEST_F(ReadSessionTest, FailsWhereAFileBecameShorterWhileItWasRead) {
  before_read_ = [this](uint64_t block) {
    if (block >= 8) disk_.size_bytes = 9 * kBlockSize + 5;
  };
  InterposedSystem system(hooks_);
  Caller caller(Request(8, 1));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  std::vector<BlockRun> runs;
  Progress progress;
  while ((progress = caller.Take(&runs)) == Progress::kReady) {
    for (const BlockRun& run : runs) caller.session().GiveBack(run.slot);
  }
  EXPECT_EQ(progress, Progress::kFailed);
  EXPECT_EQ(caller.status.error_number, ENODATA);
  EXPECT_EQ(caller.status.offset, 9 * kBlockSize + 5);
}

TEST_F(ReadSessionTest, FailsWhereHolesCannotBeToldAnyMore) {
  disk_.holes = {4, 5};
  hooks_.lseek = [this, lseek = hooks_.lseek](int descriptor, off_t offset, int whence) {
    if (offset >= off_t{6 * kBlockSize} && whence == SEEK_DATA) {
      disk_.size_bytes = 2 * kBlockSize;
    }
    return lseek(descriptor, offset, whence);
  };
  InterposedSystem system(hooks_);
  Caller caller(Request(16, 1));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  uint64_t end = 0;
  std::vector<BlockRun> runs;
  while (caller.Take(&runs) == Progress::kReady) {
    end = runs.back().first_block + runs.back().count;
  }
  EXPECT_EQ(end, 6u);
  EXPECT_EQ(caller.status.error_number, ENODATA);
  EXPECT_STREQ(caller.status.syscall, "lseek");
}

TEST_F(ReadSessionTest, StopsInTheMiddle) {
  InterposedSystem system(hooks_);
  for (uint64_t blocks = 0; blocks < 12; blocks++) {
    Caller caller(Request(6, 3));
    ASSERT_EQ(caller.Open(), Progress::kReady);
    std::vector<BlockRun> runs;
    for (uint64_t taken = 0; taken < blocks; taken += runs.size()) {
      ASSERT_EQ(caller.Take(&runs), Progress::kReady);
      for (const BlockRun& run : runs) caller.session().GiveBack(run.slot);
    }
    caller.session().Stop();
    caller.session().Stop();
    caller.WaitUntilEnded();
    EXPECT_EQ(disk_.open_count, 0);
    caller.DestroySession();
    EXPECT_EQ(caller.end_count(), 1);
  }
}

TEST_F(ReadSessionTest, WaitsForTheReadsInHandWhenItIsDestroyed) {
  Gate begun, may_end;
  std::atomic<int> ended{0};
  before_read_ = [&](uint64_t) {
    begun.Pass();
    may_end.WaitFor(1);
    ended++;
  };
  InterposedSystem system(hooks_);
  Caller caller(Request(16, 3));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  std::vector<BlockRun> runs;
  Status status;
  EXPECT_EQ(caller.session().Take(&runs, &status), Progress::kNothingNew);
  begun.WaitFor(3);
  Thread destroyer;
  ASSERT_EQ(destroyer.Start("destroyer", [&] { caller.DestroySession(); }), 0);
  WaitUntilThreadsSleep("destroyer", 1);
  EXPECT_EQ(ended, 0);
  may_end.Pass();
  destroyer.Join();
  EXPECT_EQ(ended, 3);
  EXPECT_EQ(caller.end_count(), 1);
  EXPECT_EQ(disk_.open_count, 0);
}

TEST_F(ReadSessionTest, CanBeDestroyedAtAnyMoment) {
  InterposedSystem system(hooks_);
  for (int moment = 0; moment < 30; moment++) {
    Caller caller(Request(4, 3));
    ASSERT_TRUE(caller.session().Start());
    std::vector<BlockRun> runs;
    Status status;
    for (int i = 0; i < moment; i++) {
      runs.clear();
      caller.session().Take(&runs, &status);
      for (const BlockRun& run : runs) caller.session().GiveBack(run.slot);
    }
    caller.DestroySession();
    EXPECT_EQ(caller.end_count(), 1);
    EXPECT_EQ(disk_.open_count, 0);
  }
}

TEST_F(ReadSessionTest, SaysThatThereIsNoThread) {
  hooks_.pthread_create = [] { return EAGAIN; };
  InterposedSystem system(hooks_);
  Caller caller(Request(2, 2));
  EXPECT_FALSE(caller.session().Start());
  EXPECT_EQ(caller.session().Opened(&caller.info, &caller.status), Progress::kFailed);
  EXPECT_EQ(caller.status.error_number, EAGAIN);
  EXPECT_STREQ(caller.status.syscall, "pthread_create");
  EXPECT_TRUE(caller.session().HasEnded());
  caller.DestroySession();
  EXPECT_EQ(caller.change_count() + caller.end_count(), 0);
}

TEST_F(ReadSessionTest, ReadsWithTheThreadsThatItGot) {
  for (int available = 1; available < 4; available++) {
    std::atomic<int> asked{0};
    hooks_.pthread_create = [&] { return asked++ < available ? 0 : EAGAIN; };
    InterposedSystem system(hooks_);
    Caller caller(Request(8, 6));
    ASSERT_EQ(caller.Open(), Progress::kReady);
    uint64_t next_block = 0;
    EXPECT_EQ(TakeAll(&caller, &next_block), Progress::kEnd);
    EXPECT_EQ(next_block, 40u);
    EXPECT_EQ(asked, available + 1);
  }
}

TEST_F(ReadSessionTest, SaysWhyASourceCannotBeOpened) {
  hooks_.open = [](const char*, int) { return Fail(EACCES); };
  InterposedSystem system(hooks_);
  Caller caller(Request(2, 2));
  EXPECT_EQ(caller.Open(), Progress::kFailed);
  EXPECT_EQ(caller.status.error_number, EACCES);
  EXPECT_STREQ(caller.status.syscall, "open");
  caller.WaitUntilEnded();
}

TEST_F(ReadSessionTest, CallsBackOnceForEachTimeItIsAsked) {
  InterposedSystem system(hooks_);
  Caller caller(Request(4, 2));
  ASSERT_EQ(caller.Open(), Progress::kReady);
  int before = caller.change_count();
  std::vector<BlockRun> runs;
  Status status;
  caller.session().Take(&runs, &status);
  WaitUntilThreadsSleep("ebs-read", 2);
  EXPECT_EQ(caller.change_count(), before);
  // What has come in the meantime is told at once.
  caller.session().WaitForChange();
  EXPECT_EQ(caller.change_count(), before + 1);
  caller.session().Stop();
  WaitUntilThreadsSleep("ebs-read", 0);
  EXPECT_EQ(caller.change_count(), before + 1);
}

TEST(ReadSession, ReadsARealFile) {
  TemporaryFile source(std::string(2 * kBlockSize + 9, 'x'));
  ASSERT_EQ(truncate(source.path().c_str(), 10 * kBlockSize), 0);
  ReadRequest request;
  request.path = source.path();
  request.slot_count = 4;
  request.thread_count = 2;
  Caller caller(request);
  ASSERT_EQ(caller.Open(), Progress::kReady);
  uint64_t data_count = 0, count = 0;
  std::vector<BlockRun> runs;
  while (caller.Take(&runs) == Progress::kReady) {
    for (const BlockRun& run : runs) {
      count += run.count;
      if (run.slot < 0) continue;
      data_count++;
      EXPECT_EQ(caller.SlotBytes(run)[8], 'x');
      caller.session().GiveBack(run.slot);
    }
  }
  EXPECT_EQ(count, 10u);
  EXPECT_EQ(data_count, 3u);
}

}  // namespace
}  // namespace ebs
