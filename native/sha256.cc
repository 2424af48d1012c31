#include "sha256.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu_features.h"

namespace ebs {

alignas(64) const uint32_t kSha256RoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

namespace {

// FIPS 180-4 section 5.3.3.
constexpr Sha256State kInitialState = {{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                        0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};

constexpr size_t kLengthSize = 8;

uint32_t LoadBigEndian32(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return __builtin_bswap32(word);
}

void StoreBigEndian32(uint8_t* bytes, uint32_t word) {
  word = __builtin_bswap32(word);
  std::memcpy(bytes, &word, sizeof word);
}

inline uint32_t RotateRight(uint32_t word, int count) {
  return word >> count | word << (32 - count);
}

// The end of a message: what is left of it after the last whole chunk, the 1 bit, zeros, and its
// length in bits (FIPS 180-4 section 5.1.1).
struct Padding {
  uint8_t bytes[2 * kSha256ChunkSize];
};

size_t PadMessage(const uint8_t* message, size_t size, Padding* padding) {
  size_t rest = size % kSha256ChunkSize;
  size_t padded = rest + 1 + kLengthSize <= kSha256ChunkSize ? kSha256ChunkSize : sizeof *padding;
  std::memset(padding, 0, sizeof *padding);
  if (rest > 0) std::memcpy(padding->bytes, message + (size - rest), rest);
  padding->bytes[rest] = 0x80;
  uint64_t bits = static_cast<uint64_t>(size) * 8;
  StoreBigEndian32(padding->bytes + padded - 8, static_cast<uint32_t>(bits >> 32));
  StoreBigEndian32(padding->bytes + padded - 4, static_cast<uint32_t>(bits));
  return padded / kSha256ChunkSize;
}

// Hashes at most kernel.lanes messages.
void HashSideBySide(const Sha256Kernel& kernel, std::span<const uint8_t* const> messages,
                    size_t size, uint8_t* digests) {
  Sha256State states[kSha256LanesMax];
  Padding paddings[kSha256LanesMax];
  const uint8_t* padded_ends[kSha256LanesMax];
  size_t end_chunks = 0;
  for (size_t lane = 0; lane < messages.size(); lane++) {
    states[lane] = kInitialState;
    end_chunks = PadMessage(messages[lane], size, &paddings[lane]);
    padded_ends[lane] = paddings[lane].bytes;
  }
  kernel.compress(states, messages.data(), messages.size(), size / kSha256ChunkSize);
  kernel.compress(states, padded_ends, messages.size(), end_chunks);
  for (size_t lane = 0; lane < messages.size(); lane++) {
    for (size_t i = 0; i < 8; i++) {
      StoreBigEndian32(digests + lane * kDigestSize + i * 4, states[lane].words[i]);
    }
  }
}

// One round of FIPS 180-4 section 6.2.2. The eight words are passed in rotated order instead of
// being moved. Maj(a, b, c) is b ^ ((a ^ b) & (b ^ c)), whose last term is the a ^ b of the round
// before, kept in `bc`.
#define EBS_SHA256_ROUND(a, b, c, d, e, f, g, h, k, w)                \
  do {                                                                \
    uint32_t ab = a ^ b;                                              \
    h += (k) + (w) + (g ^ (e & (f ^ g)));                             \
    h += RotateRight(e, 6) ^ RotateRight(e, 11) ^ RotateRight(e, 25); \
    d += h;                                                           \
    h += RotateRight(a, 2) ^ RotateRight(a, 13) ^ RotateRight(a, 22); \
    h += b ^ (ab & bc);                                               \
    bc = ab;                                                          \
  } while (0)

// The message schedule, sixteen words at a time in place.
inline uint32_t NextScheduleWord(uint32_t* w, int i) {
  uint32_t w15 = w[(i + 1) & 15], w2 = w[(i + 14) & 15];
  uint32_t s0 = RotateRight(w15, 7) ^ RotateRight(w15, 18) ^ (w15 >> 3);
  uint32_t s1 = RotateRight(w2, 17) ^ RotateRight(w2, 19) ^ (w2 >> 10);
  return w[i & 15] += s0 + w[(i + 9) & 15] + s1;
}

void CompressChunk(Sha256State* state, const uint8_t* chunk) {
  const uint32_t* k = kSha256RoundConstants;
  uint32_t* s = state->words;
  uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
  uint32_t bc = b ^ c;
  uint32_t w[16];
#pragma GCC unroll 2
  for (int i = 0; i < 16; i += 8) {
    for (int j = 0; j < 8; j++) w[i + j] = LoadBigEndian32(chunk + 4 * (i + j));
    EBS_SHA256_ROUND(a, b, c, d, e, f, g, h, k[i], w[i]);
    EBS_SHA256_ROUND(h, a, b, c, d, e, f, g, k[i + 1], w[i + 1]);
    EBS_SHA256_ROUND(g, h, a, b, c, d, e, f, k[i + 2], w[i + 2]);
    EBS_SHA256_ROUND(f, g, h, a, b, c, d, e, k[i + 3], w[i + 3]);
    EBS_SHA256_ROUND(e, f, g, h, a, b, c, d, k[i + 4], w[i + 4]);
    EBS_SHA256_ROUND(d, e, f, g, h, a, b, c, k[i + 5], w[i + 5]);
    EBS_SHA256_ROUND(c, d, e, f, g, h, a, b, k[i + 6], w[i + 6]);
    EBS_SHA256_ROUND(b, c, d, e, f, g, h, a, k[i + 7], w[i + 7]);
  }
#pragma GCC unroll 6
  for (int i = 16; i < 64; i += 8) {
    EBS_SHA256_ROUND(a, b, c, d, e, f, g, h, k[i], NextScheduleWord(w, i));
    EBS_SHA256_ROUND(h, a, b, c, d, e, f, g, k[i + 1], NextScheduleWord(w, i + 1));
    EBS_SHA256_ROUND(g, h, a, b, c, d, e, f, k[i + 2], NextScheduleWord(w, i + 2));
    EBS_SHA256_ROUND(f, g, h, a, b, c, d, e, k[i + 3], NextScheduleWord(w, i + 3));
    EBS_SHA256_ROUND(e, f, g, h, a, b, c, d, k[i + 4], NextScheduleWord(w, i + 4));
    EBS_SHA256_ROUND(d, e, f, g, h, a, b, c, k[i + 5], NextScheduleWord(w, i + 5));
    EBS_SHA256_ROUND(c, d, e, f, g, h, a, b, k[i + 6], NextScheduleWord(w, i + 6));
    EBS_SHA256_ROUND(b, c, d, e, f, g, h, a, k[i + 7], NextScheduleWord(w, i + 7));
  }
  s[0] += a, s[1] += b, s[2] += c, s[3] += d, s[4] += e, s[5] += f, s[6] += g, s[7] += h;
}

#undef EBS_SHA256_ROUND

std::vector<Sha256Kernel> AvailableKernels() {
  std::vector<Sha256Kernel> kernels;
#if defined(__x86_64__)
  if (GetCpuFeatures().sha_ni) kernels.push_back({"sha-ni", 2, Sha256CompressShaNi});
#elif defined(__aarch64__)
  if (GetCpuFeatures().armv8_sha2) kernels.push_back({"armv8", 2, Sha256CompressArmv8});
#endif
  kernels.push_back({"portable", 1, Sha256CompressPortable});
  return kernels;
}

}  // namespace

std::span<const Sha256Kernel> Sha256Kernels() {
  // Never freed: threads may still hash while the process exits.
  static const auto* kernels = new std::vector<Sha256Kernel>(AvailableKernels());
  return *kernels;
}

void Sha256(const Sha256Kernel& kernel, std::span<const uint8_t* const> messages, size_t size,
            uint8_t* digests) {
  while (!messages.empty()) {
    size_t count = std::min(messages.size(), kernel.lanes);
    HashSideBySide(kernel, messages.first(count), size, digests);
    messages = messages.subspan(count);
    digests += count * kDigestSize;
  }
}

void Sha256CompressPortable(Sha256State* states, const uint8_t* const* messages, size_t lane_count,
                            size_t chunk_count) {
  for (size_t lane = 0; lane < lane_count; lane++) {
    for (size_t i = 0; i < chunk_count; i++) {
      CompressChunk(&states[lane], messages[lane] + i * kSha256ChunkSize);
    }
  }
}

}  // namespace ebs
