#include "block_destination.h"

#include <unistd.h>

#include <cstring>

#include "sizes.h"
#include "whole_write.h"

namespace ebs {

bool BlockDestination::IsExpected(const BlockFacts& facts) const {
  if (facts.is_zero || expects_zero) return facts.is_zero == expects_zero;
  return std::memcmp(facts.digest, expected_digest, kDigestSize) == 0;
}

Status BlockDestination::Write(const uint8_t* block) const {
  return WriteWhole(block, kBlockSize, offset,
                    [this](const uint8_t* bytes, size_t size, uint64_t at) {
                      return pwrite(fd, bytes, size, static_cast<off_t>(at));
                    });
}

}  // namespace ebs
