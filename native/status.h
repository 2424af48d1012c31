#ifndef EBS_NATIVE_STATUS_H_
#define EBS_NATIVE_STATUS_H_

#include <cstdint>

namespace ebs {

// How a system call ended. What it means to a user is for the TypeScript side to say.
struct Status {
  // Positive number of errno(3); 0 when it succeeded.
  int error_number = 0;
  // Name of the call, a literal.
  const char* syscall = "";
  // Byte of the file at which it failed.
  uint64_t offset = 0;

  bool ok() const { return error_number == 0; }
};

}  // namespace ebs

#endif  // EBS_NATIVE_STATUS_H_
