#include "block_write.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sizes.h"

namespace ebs {

bool BlockWrite::IsExpected(const BlockFacts& facts) const {
  if (facts.is_zero || expects_zero) return facts.is_zero == expects_zero;
  return std::memcmp(facts.digest, expected_digest, kDigestSize) == 0;
}

Status BlockWrite::Write(const uint8_t* block) const {
  size_t done = 0;
  while (done < kBlockSize) {
    ssize_t written =
        pwrite(fd, block + done, kBlockSize - done, static_cast<off_t>(offset + done));
    if (written < 0 && errno == EINTR) continue;
    // Nothing written is no error to the system, but trying again would be for good.
    if (written <= 0) return {written < 0 ? errno : EIO, "pwrite", offset + done};
    done += static_cast<size_t>(written);
  }
  return {};
}

}  // namespace ebs
