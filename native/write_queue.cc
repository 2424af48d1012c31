#include "write_queue.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "sizes.h"

namespace ebs {

WriteQueue::WriteQueue(uint32_t thread_count, std::function<void()> on_finish)
    : thread_count_(thread_count), on_finish_(std::move(on_finish)) {}

WriteQueue::~WriteQueue() {
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  for (Thread& thread : threads_) thread.Join();
}

void WriteQueue::Submit(std::unique_ptr<WriteJob> job) {
  bool has_thread = true;
  {
    std::lock_guard lock(mutex_);
    if (job->kind == WriteJob::Kind::kSync) {
      queue_.push_front(std::move(job));
    } else {
      queue_.push_back(std::move(job));
    }
    if (idle_count_ < queue_.size()) has_thread = StartThread();
  }
  changed_.notify_one();
  if (!has_thread) DoAllOnThisThread();
}

std::vector<std::unique_ptr<WriteJob>> WriteQueue::TakeFinished() {
  std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

// Starts one more, if there may be one. Returns whether there is any; having fewer than wanted is
// slower, but no failure.
bool WriteQueue::StartThread() {
  if (threads_.size() == thread_count_) return true;
  if (threads_.emplace_back().Start("ebs-write", [this] { RunThread(); }) != 0) {
    threads_.pop_back();
  }
  return !threads_.empty();
}

void WriteQueue::RunThread() {
  Bounce bounce(nullptr, &std::free);
  std::unique_lock lock(mutex_);
  for (;;) {
    idle_count_++;
    changed_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
    idle_count_--;
    if (is_stopping_) return;
    std::unique_ptr<WriteJob> job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    Do(job.get(), &bounce);
    lock.lock();
    finished_.push_back(std::move(job));
    // One call for all that is finished before it is heard.
    if (finished_.size() > 1) continue;
    lock.unlock();
    on_finish_();
    lock.lock();
  }
}

void WriteQueue::Do(WriteJob* job, Bounce* bounce) const {
  switch (job->kind) {
    case WriteJob::Kind::kWrite:
      job->status = WriteCopied(*job, bounce);
      break;
    case WriteJob::Kind::kClear:
      job->status = file_.Clear(job->offset, job->size);
      break;
    case WriteJob::Kind::kSync:
      job->status = file_.Sync();
      break;
  }
}

// JavaScript cannot align memory of its own. To copy a block costs a small part of what the page
// cache would.
Status WriteQueue::WriteCopied(const WriteJob& job, Bounce* bounce) const {
  bool is_aligned = reinterpret_cast<uintptr_t>(job.bytes) % kPageSize == 0;
  if (is_aligned || !file_.is_direct()) return file_.Write(job.bytes, job.size, job.offset);
  if (*bounce == nullptr) {
    bounce->reset(static_cast<uint8_t*>(std::aligned_alloc(kPageSize, kBlockSize)));
  }
  if (*bounce == nullptr) return file_.Write(job.bytes, job.size, job.offset);
  for (uint64_t done = 0; done < job.size;) {
    size_t piece = static_cast<size_t>(std::min<uint64_t>(job.size - done, kBlockSize));
    std::memcpy(bounce->get(), job.bytes + done, piece);
    Status status = file_.Write(bounce->get(), piece, job.offset + done);
    if (!status.ok()) return status;
    done += piece;
  }
  return {};
}

// For want of threads, as under a limit on processes, the caller's does the work.
void WriteQueue::DoAllOnThisThread() {
  Bounce bounce(nullptr, &std::free);
  std::unique_lock lock(mutex_);
  while (!queue_.empty()) {
    std::unique_ptr<WriteJob> job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    Do(job.get(), &bounce);
    lock.lock();
    finished_.push_back(std::move(job));
  }
  lock.unlock();
  on_finish_();
}

}  // namespace ebs
