#ifndef EBS_NATIVE_THREAD_H_
#define EBS_NATIVE_THREAD_H_

#include <pthread.h>

#include <functional>

namespace ebs {

// A thread that takes no signals: those belong to the JavaScript thread. Unlike std::thread it
// reports that none could be had, as under a limit on processes, instead of throwing. Started and
// joined by its owner, on one thread.
class Thread {
 public:
  Thread() = default;
  // The owner must have joined.
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // Runs `body` in a new thread called `name` (15 characters at most). Returns 0 or the errno.
  int Start(const char* name, std::function<void()> body);

  // Waits until the thread has ended; returns at once when none was started.
  void Join();

 private:
  static void* Run(void* self);

  std::function<void()> body_;
  const char* name_ = "";
  pthread_t handle_{};
  bool is_started_ = false;
};

}  // namespace ebs

#endif  // EBS_NATIVE_THREAD_H_
