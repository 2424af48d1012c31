#include "sha256.h"

#if defined(__aarch64__)

#include <arm_neon.h>

// Each function carries its instruction set, so that the rest of the addon runs on any ARMv8.
#if defined(__clang__)
#define EBS_TARGET_SHA2 __attribute__((target("sha2")))
#else
#define EBS_TARGET_SHA2 __attribute__((target("+crypto")))
#endif
#define EBS_INLINE inline __attribute__((always_inline))

namespace ebs {
namespace {

struct Armv8State {
  uint32x4_t abcd;
  uint32x4_t efgh;
};

EBS_TARGET_SHA2 EBS_INLINE uint32x4_t LoadWords(const uint8_t* bytes) {
  return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes)));
}

// Replaces w[group % 4], the schedule words of sixteen rounds ago, by those of this group of four.
EBS_TARGET_SHA2 EBS_INLINE uint32x4_t NextWords(uint32x4_t* w, int group) {
  uint32x4_t& oldest = w[group & 3];
  oldest = vsha256su1q_u32(vsha256su0q_u32(oldest, w[(group + 1) & 3]), w[(group + 2) & 3],
                           w[(group + 3) & 3]);
  return oldest;
}

// As in the x86 kernel: the rounds of one message wait for each other, so two share the unit.
template <int kLanes>
EBS_TARGET_SHA2 EBS_INLINE void CompressLanes(Sha256State* states, const uint8_t* const* messages,
                                              size_t chunk_count) {
  Armv8State state[kLanes];
  for (int lane = 0; lane < kLanes; lane++) {
    state[lane] = {vld1q_u32(states[lane].words), vld1q_u32(states[lane].words + 4)};
  }
  for (size_t offset = 0; offset < chunk_count * kSha256ChunkSize; offset += kSha256ChunkSize) {
    Armv8State before[kLanes];
    uint32x4_t w[kLanes][4];
    for (int lane = 0; lane < kLanes; lane++) {
      before[lane] = state[lane];
      for (int i = 0; i < 4; i++) w[lane][i] = LoadWords(messages[lane] + offset + 16 * i);
    }
#pragma GCC unroll 16
    for (int group = 0; group < 16; group++) {
      uint32x4_t k = vld1q_u32(kSha256RoundConstants + 4 * group);
#pragma GCC unroll 2
      for (int lane = 0; lane < kLanes; lane++) {
        uint32x4_t words = group < 4 ? w[lane][group] : NextWords(w[lane], group);
        uint32x4_t sum = vaddq_u32(words, k);
        Armv8State& s = state[lane];
        uint32x4_t abcd = s.abcd;
        s.abcd = vsha256hq_u32(abcd, s.efgh, sum);
        s.efgh = vsha256h2q_u32(s.efgh, abcd, sum);
      }
    }
    for (int lane = 0; lane < kLanes; lane++) {
      state[lane].abcd = vaddq_u32(state[lane].abcd, before[lane].abcd);
      state[lane].efgh = vaddq_u32(state[lane].efgh, before[lane].efgh);
    }
  }
  for (int lane = 0; lane < kLanes; lane++) {
    vst1q_u32(states[lane].words, state[lane].abcd);
    vst1q_u32(states[lane].words + 4, state[lane].efgh);
  }
}

}  // namespace

EBS_TARGET_SHA2 void Sha256CompressArmv8(Sha256State* states, const uint8_t* const* messages,
                                         size_t lane_count, size_t chunk_count) {
  if (lane_count == 2) {
    CompressLanes<2>(states, messages, chunk_count);
  } else {
    CompressLanes<1>(states, messages, chunk_count);
  }
}

}  // namespace ebs

#endif  // defined(__aarch64__)
