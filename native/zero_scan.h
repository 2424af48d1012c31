#ifndef EBS_NATIVE_ZERO_SCAN_H_
#define EBS_NATIVE_ZERO_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace ebs {

// One way to find out whether memory is all zero on this CPU.
struct ZeroScanKernel {
  const char* name;
  // Whether all of `size` bytes are zero; leaves soon after the first set bit. Any alignment and
  // size. Any thread.
  bool (*is_zero)(const uint8_t* bytes, size_t size);
};

// The kernels that this CPU can run, the fastest first; the scalar one is always the last. Any
// thread.
std::span<const ZeroScanKernel> ZeroScanKernels();

}  // namespace ebs

#endif  // EBS_NATIVE_ZERO_SCAN_H_
