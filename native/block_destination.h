#ifndef EBS_NATIVE_BLOCK_DESTINATION_H_
#define EBS_NATIVE_BLOCK_DESTINATION_H_

#include <cstdint>

#include "block_facts.h"
#include "status.h"

namespace ebs {

// Where a block of kBlockSize bytes goes, and which block that has to be.
struct BlockDestination {
  // Belongs to the caller.
  int fd = -1;
  uint64_t offset = 0;
  bool expects_zero = false;
  // Not used where a zero block is expected.
  uint8_t expected_digest[kDigestSize] = {};

  bool IsExpected(const BlockFacts& facts) const;

  // Writes the whole block in place. Any thread.
  Status Write(const uint8_t* block) const;
};

}  // namespace ebs

#endif  // EBS_NATIVE_BLOCK_DESTINATION_H_
