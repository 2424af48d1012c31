#include "direct_io.h"

#if defined(__linux__)
// The C library's <sys/stat.h> has this structure too, but often an older one.
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace ebs {

#if defined(STATX_DIOALIGN)

DirectIo DirectIoOf(int descriptor) {
  struct statx facts = {};
  long result = syscall(SYS_statx, descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &facts);
  if (result != 0 || (facts.stx_mask & STATX_DIOALIGN) == 0) return DirectIo::kUnknown;
  return facts.stx_dio_offset_align == 0 ? DirectIo::kNo : DirectIo::kYes;
}

#else

DirectIo DirectIoOf(int) { return DirectIo::kUnknown; }

#endif

}  // namespace ebs
