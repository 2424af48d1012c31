#ifndef EBS_TEST_NATIVE_SUPPORT_INTERPOSED_SYSTEM_H_
#define EBS_TEST_NATIVE_SUPPORT_INTERPOSED_SYSTEM_H_

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <functional>

namespace ebs {

// What is called in place of a system call; where it is empty, the system itself is. Each returns
// what the call would, and sets errno. Any thread may call them, several at once.
struct SystemHooks {
  std::function<int(const char* path, int flags)> open;
  std::function<int(int descriptor)> close;
  std::function<int(const char* path, struct stat* stats)> stat;
  std::function<int(int descriptor, struct stat* stats)> fstat;
  std::function<off_t(int descriptor, off_t offset, int whence)> lseek;
  std::function<ssize_t(int descriptor, void* bytes, size_t size, off_t offset)> pread;
  std::function<ssize_t(int descriptor, const iovec* pieces, int count, off_t offset)> preadv;
  std::function<ssize_t(int descriptor, const void* bytes, size_t size, off_t offset)> pwrite;
  std::function<int(int descriptor, int mode, off_t offset, off_t size)> fallocate;
  std::function<int(int descriptor)> fdatasync;
  std::function<int(int descriptor)> fsync;
  std::function<int(int descriptor, off_t offset, off_t size, int advice)> posix_fadvise;
  // Returns the error number of a thread that cannot be had, 0 to let it begin.
  std::function<int()> pthread_create;
};

// Puts `hooks` between the code under test and the system, for as long as it lives; the Makefile
// has the linker send the calls here. One at a time.
class InterposedSystem {
 public:
  explicit InterposedSystem(SystemHooks hooks);
  // No thread may be in a hook any more.
  ~InterposedSystem();
  InterposedSystem(const InterposedSystem&) = delete;
  InterposedSystem& operator=(const InterposedSystem&) = delete;

 private:
  const SystemHooks hooks_;
};

// The calls themselves, for hooks that change an answer.
extern "C" {
int __real_open(const char* path, int flags, ...);
int __real_close(int descriptor);
int __real_stat(const char* path, struct stat* stats);
int __real_fstat(int descriptor, struct stat* stats);
off_t __real_lseek(int descriptor, off_t offset, int whence);
ssize_t __real_pread(int descriptor, void* bytes, size_t size, off_t offset);
ssize_t __real_preadv(int descriptor, const iovec* pieces, int count, off_t offset);
ssize_t __real_pwrite(int descriptor, const void* bytes, size_t size, off_t offset);
}

// Answers that a hook gives.
int Fail(int error_number);

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_INTERPOSED_SYSTEM_H_
