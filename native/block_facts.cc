#include "block_facts.h"

#include <cassert>
#include <cstring>

#include "sizes.h"

namespace ebs {

void InspectBlocks(const Kernels& kernels, std::span<const uint8_t* const> blocks,
                   BlockFacts* facts) {
  assert(blocks.size() <= kInspectedBlocksMax);
  const uint8_t* data_blocks[kInspectedBlocksMax];
  BlockFacts* data_facts[kInspectedBlocksMax];
  size_t data_count = 0;
  for (size_t i = 0; i < blocks.size(); i++) {
    facts[i].is_zero = kernels.zero_scan->is_zero(blocks[i], kBlockSize);
    if (facts[i].is_zero) continue;
    data_blocks[data_count] = blocks[i];
    data_facts[data_count] = &facts[i];
    data_count++;
  }
  uint8_t digests[kInspectedBlocksMax * kDigestSize];
  Sha256(*kernels.sha256, {data_blocks, data_count}, kBlockSize, digests);
  for (size_t i = 0; i < data_count; i++) {
    std::memcpy(data_facts[i]->digest, digests + i * kDigestSize, kDigestSize);
  }
}

}  // namespace ebs
