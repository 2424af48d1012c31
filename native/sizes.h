#ifndef EBS_NATIVE_SIZES_H_
#define EBS_NATIVE_SIZES_H_

#include <cstddef>

namespace ebs {

// Bytes in one block of a snapshot; src/base/constants.ts has its source.
inline constexpr size_t kBlockSize = 524288;

// O_DIRECT wants offset, length and address to be multiples of the logical sector size: 512 or 4096
// bytes on every disk. A page serves both.
inline constexpr size_t kPageSize = 4096;

// Blocks that one read covers at most: enough to hash two side by side, twice; few enough that they
// are in the cache when they are hashed.
inline constexpr size_t kRunBlocksMax = 4;

}  // namespace ebs

#endif  // EBS_NATIVE_SIZES_H_
