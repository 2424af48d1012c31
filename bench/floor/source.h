#ifndef EBS_BENCH_FLOOR_SOURCE_H_
#define EBS_BENCH_FLOOR_SOURCE_H_

#include <errno.h>
#include <fcntl.h>

#include <cstdint>
#include <vector>

#include "block_facts.h"
#include "sizes.h"

namespace ebs {

inline Kernels FastestKernels() {
  return {.sha256 = &Sha256Kernels().front(), .zero_scan = &ZeroScanKernels().front()};
}

// A file system without O_DIRECT is read through the cache, as the engine does it. Returns less
// than 0, with errno, when it cannot be opened.
inline int OpenPastCache(const char* path) {
  int descriptor = open(path, O_RDONLY | O_DIRECT);
  return descriptor < 0 && errno == EINVAL ? open(path, O_RDONLY) : descriptor;
}

// The digest of a block that is zero.
inline void HashZeroBlock(const Kernels& kernels, uint8_t* digest) {
  std::vector<uint8_t> zeros(kBlockSize);
  const uint8_t* message = zeros.data();
  Sha256(*kernels.sha256, {&message, 1}, kBlockSize, digest);
}

}  // namespace ebs

#endif  // EBS_BENCH_FLOOR_SOURCE_H_
