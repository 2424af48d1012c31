#ifndef EBS_NATIVE_BLOCK_FACTS_H_
#define EBS_NATIVE_BLOCK_FACTS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "sha256.h"
#include "zero_scan.h"

namespace ebs {

// The kernels to use; both outlive the process.
struct Kernels {
  const Sha256Kernel* sha256 = nullptr;
  const ZeroScanKernel* zero_scan = nullptr;

  bool operator==(const Kernels&) const = default;
};

// What one pass over a block tells.
struct BlockFacts {
  bool is_zero = false;
  // Not set where the block is zero: that digest is a constant.
  uint8_t digest[kDigestSize];
};

// The most blocks that one call of InspectBlocks takes.
inline constexpr size_t kInspectedBlocksMax = 4;

// Scans `blocks` of kBlockSize bytes each and hashes those that are not zero, side by side;
// facts[i] is of blocks[i]. Any thread.
void InspectBlocks(const Kernels& kernels, std::span<const uint8_t* const> blocks,
                   BlockFacts* facts);

}  // namespace ebs

#endif  // EBS_NATIVE_BLOCK_FACTS_H_
