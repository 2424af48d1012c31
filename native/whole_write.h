#ifndef EBS_NATIVE_WHOLE_WRITE_H_
#define EBS_NATIVE_WHOLE_WRITE_H_

#include <errno.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "status.h"

namespace ebs {

// Writes all of `bytes` at `offset` with calls of `write_some`, which takes and returns what
// pwrite(2) does after the descriptor: one call may write a part, or be interrupted.
template <typename WriteSome>
Status WriteWhole(const uint8_t* bytes, size_t size, uint64_t offset, WriteSome write_some) {
  while (size > 0) {
    ssize_t written = write_some(bytes, size, offset);
    if (written < 0 && errno == EINTR) continue;
    // A write of nothing would be tried for ever.
    if (written == 0) errno = EIO;
    if (written <= 0) return {.error_number = errno, .syscall = "write", .offset = offset};
    bytes += written;
    size -= static_cast<size_t>(written);
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

}  // namespace ebs

#endif  // EBS_NATIVE_WHOLE_WRITE_H_
