#ifndef EBS_NATIVE_SHA256_H_
#define EBS_NATIVE_SHA256_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace ebs {

inline constexpr size_t kDigestSize = 32;

// Bytes that one step of the compression function takes (FIPS 180-4: a message block of 512 bits).
inline constexpr size_t kSha256ChunkSize = 64;

// The most messages that any kernel takes side by side.
inline constexpr size_t kSha256LanesMax = 4;

// The eight working words of FIPS 180-4.
struct Sha256State {
  uint32_t words[8];
};

// One way to compute SHA-256 on this CPU.
struct Sha256Kernel {
  const char* name;
  // Messages it works on side by side: the instructions of one wait for each other, so that a core
  // has time for a second.
  size_t lanes;
  // Folds `chunk_count` chunks of each of `lane_count` (1 to `lanes`) messages into its state.
  void (*compress)(Sha256State* states, const uint8_t* const* messages, size_t lane_count,
                   size_t chunk_count);
};

// The kernels that this CPU can run, the fastest first; the portable one is always the last. Any
// thread.
std::span<const Sha256Kernel> Sha256Kernels();

// Writes the SHA-256 of each of `messages`, all of `size` bytes, to digests + i * kDigestSize.
// `size` is any; a message need not be aligned. Any thread.
void Sha256(const Sha256Kernel& kernel, std::span<const uint8_t* const> messages, size_t size,
            uint8_t* digests);

// Round constants of FIPS 180-4 section 4.2.2.
extern const uint32_t kSha256RoundConstants[64];

// The kernels themselves. Only those that this CPU can run may be called; see Sha256Kernels.
void Sha256CompressPortable(Sha256State* states, const uint8_t* const* messages, size_t lane_count,
                            size_t chunk_count);
void Sha256CompressShaNi(Sha256State* states, const uint8_t* const* messages, size_t lane_count,
                         size_t chunk_count);
void Sha256CompressArmv8(Sha256State* states, const uint8_t* const* messages, size_t lane_count,
                         size_t chunk_count);

}  // namespace ebs

#endif  // EBS_NATIVE_SHA256_H_
