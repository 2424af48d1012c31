#ifndef EBS_TEST_NATIVE_SUPPORT_GATE_H_
#define EBS_TEST_NATIVE_SUPPORT_GATE_H_

#include <condition_variable>
#include <mutex>

namespace ebs {

// Counts what happens in other threads, for one that waits for it. Any thread.
class Gate {
 public:
  void Pass() {
    std::lock_guard lock(mutex_);
    count_++;
    changed_.notify_all();
  }

  // Waits until it was passed `count` times.
  void WaitFor(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }

  int count() {
    std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_GATE_H_
