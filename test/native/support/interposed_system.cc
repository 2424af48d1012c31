#include "interposed_system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include <atomic>
#include <cassert>
#include <cstdarg>
#include <utility>

namespace ebs {
namespace {

std::atomic<const SystemHooks*> installed_hooks{nullptr};

// Asks the hook, if there is one, or the system.
template <typename Hook, typename Real, typename... Args>
auto Ask(Hook SystemHooks::*hook, Real real, Args... args) {
  const SystemHooks* hooks = installed_hooks.load();
  return hooks != nullptr && hooks->*hook ? (hooks->*hook)(args...) : real(args...);
}

}  // namespace

InterposedSystem::InterposedSystem(SystemHooks hooks) : hooks_(std::move(hooks)) {
  [[maybe_unused]] const SystemHooks* before = installed_hooks.exchange(&hooks_);
  assert(before == nullptr);
}

InterposedSystem::~InterposedSystem() { installed_hooks = nullptr; }

int Fail(int error_number) {
  errno = error_number;
  return -1;
}

extern "C" {

int __real_fallocate(int descriptor, int mode, off_t offset, off_t size);
int __real_fdatasync(int descriptor);
int __real_fsync(int descriptor);
int __real_posix_fadvise(int descriptor, off_t offset, off_t size, int advice);
int __real_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                          void* argument);
unsigned long __real_getauxval(unsigned long type);

int __wrap_open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  auto real = [mode](const char* p, int f) { return __real_open(p, f, mode); };
  return Ask(&SystemHooks::open, real, path, flags);
}

int __wrap_close(int descriptor) { return Ask(&SystemHooks::close, __real_close, descriptor); }

int __wrap_stat(const char* path, struct stat* stats) {
  return Ask(&SystemHooks::stat, __real_stat, path, stats);
}

int __wrap_fstat(int descriptor, struct stat* stats) {
  return Ask(&SystemHooks::fstat, __real_fstat, descriptor, stats);
}

off_t __wrap_lseek(int descriptor, off_t offset, int whence) {
  return Ask(&SystemHooks::lseek, __real_lseek, descriptor, offset, whence);
}

ssize_t __wrap_pread(int descriptor, void* bytes, size_t size, off_t offset) {
  return Ask(&SystemHooks::pread, __real_pread, descriptor, bytes, size, offset);
}

ssize_t __wrap_preadv(int descriptor, const iovec* pieces, int count, off_t offset) {
  return Ask(&SystemHooks::preadv, __real_preadv, descriptor, pieces, count, offset);
}

ssize_t __wrap_pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  return Ask(&SystemHooks::pwrite, __real_pwrite, descriptor, bytes, size, offset);
}

int __wrap_fallocate(int descriptor, int mode, off_t offset, off_t size) {
  return Ask(&SystemHooks::fallocate, __real_fallocate, descriptor, mode, offset, size);
}

int __wrap_fsync(int descriptor) { return Ask(&SystemHooks::fsync, __real_fsync, descriptor); }

int __wrap_fdatasync(int descriptor) {
  return Ask(&SystemHooks::fdatasync, __real_fdatasync, descriptor);
}

int __wrap_posix_fadvise(int descriptor, off_t offset, off_t size, int advice) {
  return Ask(&SystemHooks::posix_fadvise, __real_posix_fadvise, descriptor, offset, size, advice);
}

int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                          void* argument) {
  int error = Ask(&SystemHooks::pthread_create, [] { return 0; });
  return error != 0 ? error : __real_pthread_create(thread, attributes, body, argument);
}

// The processor is asked once in a process, so an environment variable hides what it has: bits of
// AT_HWCAP, in hexadecimal. No processor that qemu-aarch64 knows is without the extension.
unsigned long __wrap_getauxval(unsigned long type) {
  const char* hidden = getenv("EBS_TEST_HIDDEN_HWCAP");
  unsigned long answer = __real_getauxval(type);
  return hidden == nullptr ? answer : answer & ~strtoul(hidden, nullptr, 16);
}

}  // extern "C"

}  // namespace ebs
