#include "read_session.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace ebs {

ReadSession::ReadSession(ReadRequest request, std::function<void()> on_change,
                         std::function<void()> on_end)
    : request_(std::move(request)),
      on_change_(std::move(on_change)),
      on_end_(std::move(on_end)),
      slots_(0) {
  AddSlots(request_.memory, request_.slot_count);
}

ReadSession::~ReadSession() {
  Stop();
  first_thread_.Join();
  for (Thread& helper : helpers_) helper.Join();
}

bool ReadSession::Start() {
  live_thread_count_ = 1;
  int error = first_thread_.Start("ebs-read", [this] { RunFirstThread(); });
  if (error == 0) return true;
  live_thread_count_ = 0;
  is_opened_ = is_ended_ = true;
  open_status_ = {.error_number = error, .syscall = "pthread_create"};
  return false;
}

Progress ReadSession::Opened(SourceInfo* info, Status* status) {
  std::lock_guard lock(mutex_);
  is_news_ = false;
  if (!is_opened_) return Progress::kNothingNew;
  *info = info_;
  *status = open_status_;
  return open_status_.ok() ? Progress::kReady : Progress::kFailed;
}

void ReadSession::Select(const uint8_t* bits, size_t size) {
  // No thread claims yet: the first one waits for the start, with this mutex.
  std::lock_guard lock(mutex_);
  selection_.Assign(bits, size);
  next_block_ = selection_.FindChosen(next_block_, end_block_);
  is_all_claimed_ = next_block_ == end_block_;
}

Progress ReadSession::Take(std::vector<BlockRun>* runs, Status* status) {
  std::lock_guard lock(mutex_);
  if (!std::exchange(is_reading_wanted_, true)) changed_.notify_one();
  is_news_ = false;
  while (handed_out_ < claimed_ && WorkAt(handed_out_).is_done) {
    const Work& work = WorkAt(handed_out_);
    if (!work.status.ok()) {
      *status = work.status;
      return runs->empty() ? Progress::kFailed : Progress::kReady;
    }
    Collect(work, runs);
    handed_out_++;
  }
  WakeClaimer();
  if (!runs->empty()) return Progress::kReady;
  return is_all_claimed_ && handed_out_ == claimed_ ? Progress::kEnd : Progress::kNothingNew;
}

void ReadSession::WaitForChange() {
  std::unique_lock lock(mutex_);
  is_waited_for_ = true;
  if (is_news_) NoteChange(std::move(lock));
}

bool ReadSession::GiveBack(uint32_t slot) {
  std::lock_guard lock(mutex_);
  bool is_taken = slots_.GiveBack(slot);
  WakeClaimer();
  return is_taken;
}

void ReadSession::LimitSlots(uint32_t limit) {
  std::lock_guard lock(mutex_);
  slots_.SetLimit(limit);
  WakeClaimer();
}

void ReadSession::AddSlots(uint8_t* memory, uint32_t count) {
  std::lock_guard lock(mutex_);
  for (uint32_t i = 0; i < count; i++) {
    slot_bytes_.push_back(memory + static_cast<size_t>(i) * kBlockSize);
  }
  slots_.Add(count);
  WakeClaimer();
}

void ReadSession::Stop() {
  std::lock_guard lock(mutex_);
  is_stopping_ = true;
  changed_.notify_one();
}

bool ReadSession::HasEnded() {
  std::lock_guard lock(mutex_);
  is_news_ = false;
  return is_ended_;
}

void ReadSession::RunFirstThread() {
  Status status = file_.Open(request_.path);
  if (status.ok()) {
    uint64_t source_end = (file_.size_bytes() + kBlockSize - 1) / kBlockSize;
    next_block_ = std::min(request_.first_block, source_end);
    end_block_ = next_block_ + std::min(request_.block_count, source_end - next_block_);
  }
  std::unique_lock lock(mutex_);
  is_opened_ = true;
  open_status_ = status;
  info_ = {file_.size_bytes(), file_.is_block_device(), file_.is_direct()};
  is_all_claimed_ = next_block_ == end_block_;
  NoteChange(std::move(lock));
  if (status.ok() && WaitForStart()) {
    extents_.Start(file_);
    StartHelpers();
    ReadUntilEnd();
  }
  EndThread();
}

bool ReadSession::WaitForStart() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_reading_wanted_ || is_stopping_; });
  return !is_stopping_;
}

// Having fewer threads than wanted is slower, but no failure.
void ReadSession::StartHelpers() {
  uint64_t useful = (end_block_ - next_block_ + kRunBlocksMax - 1) / kRunBlocksMax;
  uint64_t count = std::min<uint64_t>(request_.thread_count, useful);
  for (uint64_t i = 1; i < count; i++) {
    std::lock_guard lock(mutex_);
    auto body = [this] {
      ReadUntilEnd();
      EndThread();
    };
    if (helpers_.emplace_back().Start("ebs-read", body) != 0) return;
    live_thread_count_++;
  }
}

void ReadSession::ReadUntilEnd() {
  while (Work* work = Claim()) {
    Fill(work);
    Publish(work);
  }
}

void ReadSession::EndThread() {
  {
    std::lock_guard lock(mutex_);
    if (--live_thread_count_ > 0) return;
  }
  file_.Close();
  std::unique_lock lock(mutex_);
  is_ended_ = true;
  NoteChange(std::move(lock));
  on_end_();
}

ReadSession::Work* ReadSession::Claim() {
  std::lock_guard turn(turn_);
  if (next_block_ == end_block_) return nullptr;
  bool is_hole = false;
  uint64_t count = 0;
  Status status = FindNext(&is_hole, &count);
  bool is_data = status.ok() && !is_hole;

  std::unique_lock lock(mutex_);
  slots_awaited_ = is_data ? std::min<uint64_t>(count, slots_.limit()) : 0;
  is_claimer_waiting_ = true;
  changed_.wait(lock, [this] { return is_stopping_ || CanClaim(); });
  is_claimer_waiting_ = false;
  if (is_stopping_) return nullptr;
  if (is_data) count = std::min<uint64_t>(count, slots_.free_count());
  Work& work = WorkAt(claimed_++);
  work.first_block = next_block_;
  work.count = count;
  work.is_hole = is_hole;
  work.is_done = false;
  work.status = status;
  unfinished_++;
  for (uint64_t i = 0; is_data && i < count; i++) {
    work.slots[i] = slots_.Take();
    work.bytes[i] = slot_bytes_[work.slots[i]];
  }
  next_block_ = selection_.FindChosen(next_block_ + count, end_block_);
  is_all_claimed_ = next_block_ == end_block_;
  return &work;
}

// Blocks from next_block_ on that can be one piece of work.
Status ReadSession::FindNext(bool* is_hole, uint64_t* count) {
  Extent extent;
  Status status = extents_.Find(next_block_, &extent);
  if (!status.ok()) return status;
  uint64_t end = selection_.FindLeftOut(next_block_, std::min(extent.end_block, end_block_));
  *is_hole = extent.is_hole;
  if (!extent.is_hole) {
    // A partial block at the end is read on its own: it is not aligned.
    uint64_t whole_end = file_.size_bytes() / kBlockSize;
    if (next_block_ < whole_end) end = std::min(end, whole_end);
    end = std::min(end, next_block_ + kRunBlocksMax);
  }
  *count = end - next_block_;
  return {};
}

// Whether there is room in the ring and slots enough. When the caller has all blocks that there
// are, one slot is enough: it may be waiting for one block more before it gives any back.
bool ReadSession::CanClaim() const {
  if (claimed_ - handed_out_ >= kWorkMax) return false;
  if (slots_.free_count() >= slots_awaited_) return true;
  return slots_.free_count() > 0 && claimed_ == handed_out_;
}

// Waking a thread that cannot go on costs as much as one that can.
void ReadSession::WakeClaimer() {
  if (is_claimer_waiting_ && CanClaim()) changed_.notify_one();
}

void ReadSession::Fill(Work* work) {
  if (!work->status.ok() || work->is_hole) return;
  work->status = Read(*work);
  if (!work->status.ok()) return;
  std::array<const uint8_t*, kRunBlocksMax> blocks;
  for (uint64_t i = 0; i < work->count; i++) blocks[i] = work->bytes[i];
  InspectBlocks(request_.kernels, {blocks.data(), work->count}, work->facts.data());
}

Status ReadSession::Read(const Work& work) {
  uint64_t offset = work.first_block * kBlockSize;
  std::array<iovec, kRunBlocksMax> pieces;
  for (uint64_t i = 0; i < work.count; i++) {
    uint64_t rest = file_.size_bytes() - (offset + i * kBlockSize);
    size_t size = static_cast<size_t>(std::min<uint64_t>(rest, kBlockSize));
    uint8_t* bytes = work.bytes[i];
    std::memset(bytes + size, 0, kBlockSize - size);
    pieces[i] = {bytes, size};
  }
  return file_.Read({pieces.data(), work.count}, offset);
}

void ReadSession::Publish(Work* work) {
  std::unique_lock lock(mutex_);
  bool is_failed = !work->status.ok();
  for (uint64_t i = 0; !work->is_hole && i < work->count; i++) {
    if (is_failed || work->facts[i].is_zero) slots_.GiveBack(work->slots[i]);
  }
  work->is_done = true;
  unfinished_--;
  if (is_failed) {
    is_stopping_ = true;
    changed_.notify_one();
  } else {
    WakeClaimer();
  }
  if (IsWorthAHop()) NoteChange(std::move(lock));
}

// A hop into JavaScript costs the same for one block as for many, so few ready blocks wait for more
// as long as a thread is at work that brings more, or the failure that ends it all.
bool ReadSession::IsWorthAHop() {
  uint64_t ready = 0;
  for (uint64_t i = handed_out_; i < claimed_ && WorkAt(i).is_done; i++) {
    if (!WorkAt(i).status.ok()) return true;
    ready += WorkAt(i).count;
    if (ready >= kHopBlocks) return true;
  }
  return ready > 0 && unfinished_ == 0;
}

void ReadSession::Collect(const Work& work, std::vector<BlockRun>* runs) const {
  auto add_empty = [runs](int32_t kind, uint64_t first_block, uint64_t count) {
    bool is_neighbour =
        !runs->empty() && runs->back().first_block + runs->back().count == first_block;
    if (is_neighbour && runs->back().slot == kind) {
      runs->back().count += count;
    } else {
      runs->push_back({.first_block = first_block, .count = count, .slot = kind, .digest = {}});
    }
  };
  if (work.is_hole) return add_empty(BlockRun::kHole, work.first_block, work.count);
  for (uint64_t i = 0; i < work.count; i++) {
    if (work.facts[i].is_zero) {
      add_empty(BlockRun::kZero, work.first_block + i, 1);
      continue;
    }
    BlockRun run{.first_block = work.first_block + i, .count = 1, .digest = {}};
    run.slot = static_cast<int32_t>(work.slots[i]);
    std::memcpy(run.digest, work.facts[i].digest, kDigestSize);
    runs->push_back(run);
  }
}

void ReadSession::NoteChange(std::unique_lock<std::mutex> lock) {
  is_news_ = true;
  if (!is_waited_for_) return;
  is_waited_for_ = false;
  lock.unlock();
  on_change_();
}

}  // namespace ebs
