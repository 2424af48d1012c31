#include "file_lock.h"

#include <sys/file.h>

#include <cerrno>

namespace ebs {

Status TryLockFile(int fd) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return {errno, "flock", 0};
  }
  return {};
}

}  // namespace ebs
