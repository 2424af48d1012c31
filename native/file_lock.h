#ifndef EBS_NATIVE_FILE_LOCK_H_
#define EBS_NATIVE_FILE_LOCK_H_

#include "status.h"

namespace ebs {

// Takes the exclusive lock of an open file, or fails with EWOULDBLOCK when another open file has
// it. It is let go when the last descriptor of this open file is closed, by whatever ends the
// process.
Status TryLockFile(int fd);

}  // namespace ebs

#endif  // EBS_NATIVE_FILE_LOCK_H_
