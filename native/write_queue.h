#ifndef EBS_NATIVE_WRITE_QUEUE_H_
#define EBS_NATIVE_WRITE_QUEUE_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "status.h"
#include "target_file.h"
#include "thread.h"

namespace ebs {

// One thing to do to a target. `bytes` belong to the caller and must stay as they are until the job
// comes back.
struct WriteJob {
  enum class Kind { kWrite, kClear, kSync };

  virtual ~WriteJob() = default;

  Kind kind = Kind::kSync;
  // Of kWrite.
  const uint8_t* bytes = nullptr;
  // Of kWrite and kClear.
  uint64_t size = 0;
  uint64_t offset = 0;
  // How it ended.
  Status status;
};

// Does jobs on one target with a few threads of its own, in about their order; those that overlap
// must wait for each other. A thread is started when there is work for it, and stays until the end.
//
// All public functions belong to one thread, the caller's.
class WriteQueue {
 public:
  // `on_finish` is called, mostly from the queue's threads, when TakeFinished has something new. It
  // may not call back into the queue.
  WriteQueue(uint32_t thread_count, std::function<void()> on_finish);

  // Drops what is queued, and waits until the threads have ended: as long as the job they are in.
  ~WriteQueue();
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;

  // As TargetFile::Open; before the first job.
  Status Open(int descriptor) { return file_.Open(descriptor); }
  bool is_direct() const { return file_.is_direct(); }

  // Takes a job. A sync goes before all that waits: it is for what has been written.
  void Submit(std::unique_ptr<WriteJob> job);

  // Returns the jobs that were finished since the last call.
  std::vector<std::unique_ptr<WriteJob>> TakeFinished();

 private:
  // A page-aligned copy of bytes that are not, one for each thread.
  using Bounce = std::unique_ptr<uint8_t, void (*)(void*)>;

  bool StartThread();
  void RunThread();
  void Do(WriteJob* job, Bounce* bounce) const;
  Status WriteCopied(const WriteJob& job, Bounce* bounce) const;
  void DoAllOnThisThread();

  const uint32_t thread_count_;
  const std::function<void()> on_finish_;
  TargetFile file_;

  // Guards all that follows.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Thread> threads_;
  std::deque<std::unique_ptr<WriteJob>> queue_;
  std::vector<std::unique_ptr<WriteJob>> finished_;
  size_t idle_count_ = 0;
  bool is_stopping_ = false;
};

}  // namespace ebs

#endif  // EBS_NATIVE_WRITE_QUEUE_H_
