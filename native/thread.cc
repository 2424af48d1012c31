#include "thread.h"

#include <signal.h>

#include <cassert>
#include <utility>

namespace ebs {

Thread::~Thread() { assert(!is_started_); }

int Thread::Start(const char* name, std::function<void()> body) {
  assert(!is_started_);
  name_ = name;
  body_ = std::move(body);
  // A new thread inherits the mask, so the signals are blocked here before it exists.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&handle_, nullptr, Run, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  is_started_ = error == 0;
  return error;
}

void Thread::Join() {
  if (!is_started_) return;
  pthread_join(handle_, nullptr);
  is_started_ = false;
}

void* Thread::Run(void* self) {
  auto* thread = static_cast<Thread*>(self);
#if defined(__APPLE__)
  pthread_setname_np(thread->name_);
#else
  pthread_setname_np(pthread_self(), thread->name_);
#endif
  thread->body_();
  return nullptr;
}

}  // namespace ebs
