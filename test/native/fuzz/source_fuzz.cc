// A file system or device may answer anything. Whatever it does, a session hands out each block of
// its range once, in order, with the bytes that were read for it, up to the end or to one failure
// that was answered; no slot is in two hands, nothing is written beside them, nothing waits for
// ever.

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "fuzz/script.h"
#include "read_session.h"
#include "support/gate.h"
#include "support/interposed_system.h"
#include "support/page_memory.h"

namespace ebs {
namespace {

constexpr char kPath[] = "/scripted/source";
constexpr int kBuffered = 1 << 20;
constexpr int kDirect = kBuffered + 1;
constexpr uint64_t kBlocksMax = 40;
constexpr uint32_t kSlotsMax = 8;
constexpr std::array kErrors = {EIO, EINVAL, ENXIO, ENODATA, EAGAIN, ENOMEM, EBADF, EREMOTEIO};

// Hashing is not what is tried here: a kernel that costs nothing.
constexpr Sha256Kernel kNoHash = {"none", 2,
                                  [](Sha256State*, const uint8_t* const*, size_t, size_t) {}};

// Which byte is at an offset: zero in one block of four, and elsewhere the block's own, with the
// number of the page at the start of each page.
uint8_t ByteOfBlock(uint64_t block) {
  return block % 4 == 3 ? 0 : static_cast<uint8_t>(block % 255 + 1);
}

void FillPiece(uint8_t* bytes, size_t size, uint64_t offset) {
  while (size > 0) {
    uint64_t block = offset / kBlockSize;
    size_t part = std::min<uint64_t>(size, (block + 1) * kBlockSize - offset);
    std::memset(bytes, ByteOfBlock(block), part);
    uint64_t page = (offset + kPageSize - 1) / kPageSize;
    for (; ByteOfBlock(block) != 0 && page * kPageSize < offset + part; page++) {
      bytes[page * kPageSize - offset] = static_cast<uint8_t>(page % 128 + 1);
    }
    bytes += part;
    offset += part;
    size -= part;
  }
}

// Bytes [first, end) of the source.
struct Range {
  uint64_t first;
  uint64_t end;
};

// A source whose answers are an input. An answer depends on what is asked and how often it was, not
// on which thread is first, so that an input shows the same each time.
class ScriptedSource {
 public:
  ScriptedSource(Script script, const uint8_t* memory, uint32_t slot_count)
      : is_block_device_(script.Next<uint8_t>() % 4 == 0),
        size_(SizeFrom(&script)),
        takes_direct_(script.Next<uint8_t>() % 4 != 0),
        failing_(script.Next<uint8_t>()),
        answers_(script.rest(), script.rest() + script.rest_size()),
        memory_(memory),
        writers_(slot_count) {}

  SystemHooks Hooks();

  uint64_t size() const { return size_; }
  bool IsClosed() const { return open_count_ == 0; }

  // Whether the source has ever said that there is nothing in this block.
  bool IsSaidToBeHole(uint64_t block) {
    std::lock_guard lock(mutex_);
    uint64_t first = block * kBlockSize, end = std::min(first + kBlockSize, size_);
    return std::any_of(holes_.begin(), holes_.end(),
                       [&](const Range& hole) { return hole.first <= first && end <= hole.end; });
  }
  bool HasAnsweredWith(int error_number) {
    std::lock_guard lock(mutex_);
    return errors_.contains(error_number);
  }

  // The caller has the slot, from here to `GiveBack`.
  void TakeSlot(uint32_t slot) { EBS_FUZZ_CHECK(writers_[slot].exchange(kCaller) == kNobody); }
  void GiveBackSlot(uint32_t slot) { EBS_FUZZ_CHECK(writers_[slot].exchange(kNobody) == kCaller); }

 private:
  static constexpr int kNobody = 0, kReader = 1, kCaller = 2;

  static uint64_t SizeFrom(Script* script) {
    uint64_t kind = script->Next<uint8_t>() % 8;
    uint64_t number = script->Next<uint64_t>();
    if (kind == 0) return number % (uint64_t{INT64_MAX} + 1);
    if (kind == 1) return number % (uint64_t{1} << 46);
    uint64_t size = number % (kBlocksMax * kBlockSize);
    return kind < 5 ? size / kBlockSize * kBlockSize : size;
  }

  // The answer number `times` to the question `question` about `offset`.
  uint8_t Answer(int question, uint64_t offset) {
    std::lock_guard lock(mutex_);
    uint64_t times = asked_[{question, offset}]++;
    if (answers_.empty()) return 0;
    uint64_t mixed = (offset / 512 * 31 + times * 7 + static_cast<uint64_t>(question) * 131);
    // One that fails for ever would be waited for for ever.
    return times > 20 ? 0 : answers_[mixed % answers_.size()];
  }

  // Failures are rare, or every answer would be one.
  bool IsFailing(uint8_t answer) const { return answer != 0 && answer % 64 < failing_ % 8; }

  int FailWith(uint8_t answer) {
    int error = kErrors[answer / 64 + failing_ / 8 % 4];
    std::lock_guard lock(mutex_);
    errors_.insert(error);
    return Fail(error);
  }

  int Stat(struct stat* stats, int question);
  off_t Seek(off_t offset, int whence);
  static off_t FindFrom(off_t offset, uint8_t answer);
  ssize_t Read(int descriptor, const iovec* pieces, int count, off_t offset);
  void Write(const iovec& piece, size_t size, uint64_t offset);

  const bool is_block_device_;
  const uint64_t size_;
  const bool takes_direct_;
  const uint8_t failing_;
  const std::vector<uint8_t> answers_;
  const uint8_t* const memory_;
  std::vector<std::atomic<int>> writers_;
  std::atomic<int> open_count_{0};

  std::mutex mutex_;
  std::map<std::pair<int, uint64_t>, uint64_t> asked_;
  std::vector<Range> holes_;
  std::set<int> errors_;
};

SystemHooks ScriptedSource::Hooks() {
  SystemHooks hooks;
  hooks.open = [this](const char*, int flags) {
    bool is_direct = (flags & O_DIRECT) != 0;
    if (is_direct && !takes_direct_) return Fail(EINVAL);
    open_count_++;
    return is_direct ? kDirect : kBuffered;
  };
  hooks.close = [this](int) {
    open_count_--;
    return 0;
  };
  hooks.stat = [this](const char*, struct stat* stats) { return Stat(stats, 0); };
  hooks.fstat = [this](int, struct stat* stats) { return Stat(stats, 1); };
  hooks.lseek = [this](int, off_t offset, int whence) { return Seek(offset, whence); };
  hooks.pread = [this](int descriptor, void* bytes, size_t size, off_t) {
    EBS_FUZZ_CHECK(descriptor == kDirect);
    uint8_t answer = Answer(2, 0);
    if (IsFailing(answer)) return static_cast<ssize_t>(Fail(kErrors[answer / 64]));
    std::memset(bytes, 0, size);
    return static_cast<ssize_t>(size);
  };
  hooks.preadv = [this](int descriptor, const iovec* pieces, int count, off_t offset) {
    return Read(descriptor, pieces, count, offset);
  };
  hooks.fdatasync = [this](int) { return IsFailing(Answer(3, 0)) ? Fail(EIO) : 0; };
  hooks.posix_fadvise = [](int, off_t, off_t, int) { return 0; };
  return hooks;
}

int ScriptedSource::Stat(struct stat* stats, int question) {
  uint8_t answer = Answer(question, 0);
  if (IsFailing(answer)) return FailWith(answer);
  *stats = {};
  stats->st_mode = is_block_device_ ? S_IFBLK : S_IFREG;
  // The first answer is the size, any later one another, if it likes.
  bool is_first = false;
  {
    std::lock_guard lock(mutex_);
    is_first = asked_[{question, 0}] == 1;
  }
  uint64_t size_now = is_first || answer % 2 == 0 ? size_ : size_ / 256 * answer;
  if (size_now < size_) {
    std::lock_guard lock(mutex_);
    errors_.insert(ENODATA);
  }
  stats->st_size = is_block_device_ ? 0 : static_cast<off_t>(size_now);
  return 0;
}

off_t ScriptedSource::Seek(off_t offset, int whence) {
  uint8_t answer = Answer(10 + whence, static_cast<uint64_t>(offset));
  off_t found = IsFailing(answer)    ? FailWith(answer)
                : whence == SEEK_END ? static_cast<off_t>(size_)
                                     : FindFrom(offset, answer);
  bool is_end = found < 0 && errno == ENXIO;
  if (whence == SEEK_DATA && (found > offset || is_end)) {
    std::lock_guard lock(mutex_);
    uint64_t hole_end = is_end ? size_ : static_cast<uint64_t>(found);
    holes_.push_back({static_cast<uint64_t>(offset), hole_end});
  }
  return found;
}

// Behind, at or before the place that was asked about, by bytes or blocks; nowhere.
off_t ScriptedSource::FindFrom(off_t offset, uint8_t answer) {
  uint64_t distance = (answer / 8) * (answer % 2 == 0 ? kBlockSize : kPageSize + 1);
  switch (answer / 2 % 4) {
    case 0:
    case 1:
      return offset + static_cast<off_t>(std::min<uint64_t>(distance, INT64_MAX - offset));
    case 2:
      return std::max<off_t>(0, offset - static_cast<off_t>(distance));
    default:
      return answer % 2 == 0 ? INT64_MAX : Fail(ENXIO);
  }
}

ssize_t ScriptedSource::Read(int descriptor, const iovec* pieces, int count, off_t offset) {
  EBS_FUZZ_CHECK(offset >= 0 && count > 0 && count <= IOV_MAX);
  uint64_t start = static_cast<uint64_t>(offset), size = 0;
  for (int i = 0; i < count; i++) size += pieces[i].iov_len;
  EBS_FUZZ_CHECK(size > 0 && start < size_ && size <= size_ - start);
  uint8_t answer = Answer(descriptor == kDirect ? 5 : 6, start);
  if (answer % 32 == 31) return Fail(EINTR);
  if (IsFailing(answer)) return FailWith(answer);
  // All of it, or less: down to nothing.
  if (answer % 4 == 3) {
    size = answer % 8 == 7 ? size * (answer / 8) / 32 : size - std::min<uint64_t>(size, answer / 8);
    if (size == 0) {
      std::lock_guard lock(mutex_);
      errors_.insert(ENODATA);
    }
  }
  uint64_t left = size;
  for (int i = 0; i < count && left > 0; i++) {
    size_t part = std::min<uint64_t>(pieces[i].iov_len, left);
    Write(pieces[i], part, start);
    start += part;
    left -= part;
  }
  return static_cast<ssize_t>(size);
}

void ScriptedSource::Write(const iovec& piece, size_t size, uint64_t offset) {
  auto* bytes = static_cast<uint8_t*>(piece.iov_base);
  EBS_FUZZ_CHECK(bytes >= memory_);
  size_t slot = static_cast<size_t>(bytes - memory_) / kBlockSize;
  EBS_FUZZ_CHECK(slot < writers_.size());
  EBS_FUZZ_CHECK(bytes + piece.iov_len <= memory_ + (slot + 1) * kBlockSize);
  EBS_FUZZ_CHECK(writers_[slot].exchange(kReader) == kNobody);
  FillPiece(bytes, size, offset);
  EBS_FUZZ_CHECK(writers_[slot].exchange(kNobody) == kReader);
}

// Whoever takes the blocks: checks them, keeps some of them for a while, and stops at some point.
class Taker {
 public:
  Taker(Script script, ReadSession* session, ScriptedSource* source, const uint8_t* memory)
      : script_(script), session_(session), source_(source), memory_(memory) {}

  // Returns whether the session came to its end: to the end of the range, or a failure.
  bool TakeAll(uint64_t* next_block, Gate* changed) {
    // Most run to the end.
    uint64_t takes_max = script_.Next<uint8_t>() % 4 == 0 ? script_.Below(20) : UINT64_MAX;
    for (uint64_t takes = 0; takes < takes_max; takes++) {
      std::vector<BlockRun> runs;
      Progress progress = session_->Take(&runs, &status);
      if (progress == Progress::kEnd || progress == Progress::kFailed) {
        EBS_FUZZ_CHECK(runs.empty());
        return true;
      }
      if (progress == Progress::kNothingNew) {
        EBS_FUZZ_CHECK(runs.empty());
        GiveBackDownTo(0);
        session_->WaitForChange();
        changed->WaitFor(++wait_count_);
      }
      for (const BlockRun& run : runs) TakeRun(run, next_block);
      GiveBackDownTo(script_.Below(kSlotsMax));
    }
    return false;
  }

  Status status;

  // May be more than there are: what the opening has waited for.
  void StartWaitingAt(int wait_count) { wait_count_ = wait_count; }

 private:
  void TakeRun(const BlockRun& run, uint64_t* next_block) {
    EBS_FUZZ_CHECK(run.first_block == *next_block);
    EBS_FUZZ_CHECK(run.count > 0 && run.slot >= BlockRun::kHole);
    *next_block += run.count;
    for (uint64_t block = run.first_block; block < *next_block; block++) {
      if (run.slot == BlockRun::kHole) EBS_FUZZ_CHECK(source_->IsSaidToBeHole(block));
      if (run.slot == BlockRun::kZero) EBS_FUZZ_CHECK(ByteOfBlock(block) == 0);
    }
    if (run.slot < 0) return;
    EBS_FUZZ_CHECK(run.count == 1);
    source_->TakeSlot(static_cast<uint32_t>(run.slot));
    held_.push_back(run);
    CheckBytes(run);
  }

  void CheckBytes(const BlockRun& run) {
    const uint8_t* bytes = memory_ + static_cast<size_t>(run.slot) * kBlockSize;
    uint64_t offset = run.first_block * kBlockSize;
    size_t size = std::min<uint64_t>(kBlockSize, source_->size() - offset);
    FillPiece(expected_.data(), size, offset);
    std::fill(expected_.begin() + static_cast<ptrdiff_t>(size), expected_.end(), 0);
    EBS_FUZZ_CHECK(std::memcmp(bytes, expected_.data(), kBlockSize) == 0);
  }

  void GiveBackDownTo(size_t count) {
    while (held_.size() > count) {
      auto chosen = held_.begin() + static_cast<ptrdiff_t>(script_.Below(held_.size()));
      CheckBytes(*chosen);
      uint32_t slot = static_cast<uint32_t>(chosen->slot);
      source_->GiveBackSlot(slot);
      EBS_FUZZ_CHECK(session_->GiveBack(slot));
      held_.erase(chosen);
    }
  }

  Script script_;
  ReadSession* const session_;
  ScriptedSource* const source_;
  const uint8_t* const memory_;
  std::vector<BlockRun> held_;
  std::vector<uint8_t> expected_ = std::vector<uint8_t>(kBlockSize);
  int wait_count_ = 0;
};

ReadRequest RequestFrom(Script* script) {
  ReadRequest request;
  request.path = kPath;
  request.slot_count = 1 + static_cast<uint32_t>(script->Below(kSlotsMax));
  request.thread_count = 1 + static_cast<uint32_t>(script->Below(4));
  request.block_count = script->Below(kBlocksMax + 1);
  return request;
}

// Returns whether the source was opened.
bool Open(ReadSession* session, Gate* changed, int* wait_count, SourceInfo* info, Status* status) {
  EBS_FUZZ_CHECK(session->Start());
  for (;;) {
    Progress progress = session->Opened(info, status);
    if (progress != Progress::kNothingNew) return progress == Progress::kReady;
    session->WaitForChange();
    changed->WaitFor(++*wait_count);
  }
}

void Run(Script script) {
  ReadRequest request = RequestFrom(&script);
  uint64_t first_from_end = script.Below(2 * kBlocksMax);
  PageMemory memory(request.slot_count * kBlockSize);
  ScriptedSource source(script, memory.bytes(), request.slot_count);
  InterposedSystem system(source.Hooks());
  // Near the end of a source that is larger than what is read of it.
  uint64_t block_count = source.size() / kBlockSize + (source.size() % kBlockSize > 0);
  request.first_block = block_count - std::min(block_count, first_from_end);
  request.memory = memory.bytes();
  request.kernels = {.sha256 = &kNoHash, .zero_scan = &ZeroScanKernels().front()};
  Gate changed, ended;
  uint64_t next_block = request.first_block;
  uint64_t end = next_block + std::min(block_count - next_block, request.block_count);
  {
    ReadSession session(
        request, [&] { changed.Pass(); }, [&] { ended.Pass(); });
    Taker taker(script, &session, &source, memory.bytes());
    SourceInfo info;
    int wait_count = 0;
    bool is_open = Open(&session, &changed, &wait_count, &info, &taker.status);
    if (is_open) {
      EBS_FUZZ_CHECK(info.size_bytes == source.size());
      taker.StartWaitingAt(wait_count);
      bool is_at_end = taker.TakeAll(&next_block, &changed);
      if (is_at_end && taker.status.ok()) EBS_FUZZ_CHECK(next_block == end);
      if (!taker.status.ok()) {
        EBS_FUZZ_CHECK(next_block < end);
        EBS_FUZZ_CHECK(taker.status.offset >= next_block * kBlockSize);
        EBS_FUZZ_CHECK(taker.status.offset / kBlockSize < end);
      }
    }
    if (!taker.status.ok()) EBS_FUZZ_CHECK(source.HasAnsweredWith(taker.status.error_number));
  }
  EBS_FUZZ_CHECK(ended.count() == 1);
  EBS_FUZZ_CHECK(source.IsClosed());
}

}  // namespace
}  // namespace ebs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ebs::Run({data, size});
  return 0;
}
