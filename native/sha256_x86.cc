#include "sha256.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Each function carries its instruction set, so that the rest of the addon runs on any x86-64. AVX
// is wanted for its three-operand encoding alone: without the copies that it saves, two messages
// side by side are hashed 8 % slower.
#define EBS_TARGET_SHA_NI __attribute__((target("sha,avx")))
#define EBS_INLINE inline __attribute__((always_inline))

namespace ebs {
namespace {

// The instructions want the eight words as (a, b, e, f) and (c, d, g, h), highest first.
struct ShaNiState {
  __m128i abef;
  __m128i cdgh;
};

EBS_TARGET_SHA_NI EBS_INLINE ShaNiState LoadState(const Sha256State& state) {
  const auto* words = reinterpret_cast<const __m128i*>(state.words);
  __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xB1);
  __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1B);
  return {_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xF0)};
}

EBS_TARGET_SHA_NI EBS_INLINE void StoreState(const ShaNiState& state, Sha256State* out) {
  auto* words = reinterpret_cast<__m128i*>(out->words);
  __m128i feba = _mm_shuffle_epi32(state.abef, 0x1B);
  __m128i dchg = _mm_shuffle_epi32(state.cdgh, 0xB1);
  _mm_storeu_si128(words, _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(words + 1, _mm_alignr_epi8(dchg, feba, 8));
}

EBS_TARGET_SHA_NI EBS_INLINE __m128i LoadWords(const uint8_t* bytes) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)), big_endian);
}

// Replaces w[group % 4], the schedule words of sixteen rounds ago, by those of this group of four.
EBS_TARGET_SHA_NI EBS_INLINE __m128i NextWords(__m128i* w, int group) {
  __m128i& oldest = w[group & 3];
  __m128i newest = w[(group + 3) & 3];
  __m128i sum = _mm_sha256msg1_epu32(oldest, w[(group + 1) & 3]);
  sum = _mm_add_epi32(sum, _mm_alignr_epi8(newest, w[(group + 2) & 3], 4));
  oldest = _mm_sha256msg2_epu32(sum, newest);
  return oldest;
}

// sha256rnds2 takes some four cycles and each waits for the one before, so a single message leaves
// the unit idle half of the time: the lanes go through each group of rounds in turn.
template <int kLanes>
EBS_TARGET_SHA_NI EBS_INLINE void CompressLanes(Sha256State* states, const uint8_t* const* messages,
                                                size_t chunk_count) {
  ShaNiState state[kLanes];
  for (int lane = 0; lane < kLanes; lane++) state[lane] = LoadState(states[lane]);
  for (size_t offset = 0; offset < chunk_count * kSha256ChunkSize; offset += kSha256ChunkSize) {
    ShaNiState before[kLanes];
    __m128i w[kLanes][4];
    for (int lane = 0; lane < kLanes; lane++) {
      before[lane] = state[lane];
      for (int i = 0; i < 4; i++) w[lane][i] = LoadWords(messages[lane] + offset + 16 * i);
    }
#pragma GCC unroll 16
    for (int group = 0; group < 16; group++) {
      const auto* constants = reinterpret_cast<const __m128i*>(kSha256RoundConstants);
      __m128i k = _mm_load_si128(constants + group);
#pragma GCC unroll 2
      for (int lane = 0; lane < kLanes; lane++) {
        __m128i words = group < 4 ? w[lane][group] : NextWords(w[lane], group);
        __m128i sum = _mm_add_epi32(words, k);
        ShaNiState& s = state[lane];
        s.cdgh = _mm_sha256rnds2_epu32(s.cdgh, s.abef, sum);
        s.abef = _mm_sha256rnds2_epu32(s.abef, s.cdgh, _mm_shuffle_epi32(sum, 0x0E));
      }
    }
    for (int lane = 0; lane < kLanes; lane++) {
      state[lane].abef = _mm_add_epi32(state[lane].abef, before[lane].abef);
      state[lane].cdgh = _mm_add_epi32(state[lane].cdgh, before[lane].cdgh);
    }
  }
  for (int lane = 0; lane < kLanes; lane++) StoreState(state[lane], &states[lane]);
}

}  // namespace

EBS_TARGET_SHA_NI void Sha256CompressShaNi(Sha256State* states, const uint8_t* const* messages,
                                           size_t lane_count, size_t chunk_count) {
  if (lane_count == 2) {
    CompressLanes<2>(states, messages, chunk_count);
  } else {
    CompressLanes<1>(states, messages, chunk_count);
  }
}

}  // namespace ebs

#endif  // defined(__x86_64__)
