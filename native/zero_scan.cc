#include "zero_scan.h"

#include <cstring>
#include <vector>

#include "cpu_features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace ebs {
namespace {

// Bytes between two tests: enough to keep the loads going, few enough to leave early.
constexpr size_t kStride = 128;

bool AreBytesZero(const uint8_t* bytes, size_t size) {
  uint8_t any = 0;
  for (size_t i = 0; i < size; i++) any |= bytes[i];
  return any == 0;
}

bool IsZeroScalar(const uint8_t* bytes, size_t size) {
  size_t offset = 0;
  for (; offset + kStride <= size; offset += kStride) {
    uint64_t any = 0;
    for (size_t i = 0; i < kStride; i += sizeof any) {
      uint64_t word;
      std::memcpy(&word, bytes + offset + i, sizeof word);
      any |= word;
    }
    if (any != 0) return false;
  }
  return AreBytesZero(bytes + offset, size - offset);
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) bool IsZeroAvx2(const uint8_t* bytes, size_t size) {
  size_t offset = 0;
  for (; offset + kStride <= size; offset += kStride) {
    const auto* v = reinterpret_cast<const __m256i*>(bytes + offset);
    __m256i low = _mm256_or_si256(_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1));
    __m256i high = _mm256_or_si256(_mm256_loadu_si256(v + 2), _mm256_loadu_si256(v + 3));
    __m256i any = _mm256_or_si256(low, high);
    if (_mm256_testz_si256(any, any) == 0) return false;
  }
  return AreBytesZero(bytes + offset, size - offset);
}

#elif defined(__aarch64__)

bool IsZeroNeon(const uint8_t* bytes, size_t size) {
  size_t offset = 0;
  for (; offset + kStride <= size; offset += kStride) {
    uint8x16_t any = vdupq_n_u8(0);
    for (size_t i = 0; i < kStride; i += 16) any = vorrq_u8(any, vld1q_u8(bytes + offset + i));
    if (vmaxvq_u8(any) != 0) return false;
  }
  return AreBytesZero(bytes + offset, size - offset);
}

#endif

std::vector<ZeroScanKernel> AvailableKernels() {
  std::vector<ZeroScanKernel> kernels;
#if defined(__x86_64__)
  if (GetCpuFeatures().avx2) kernels.push_back({"avx2", IsZeroAvx2});
#elif defined(__aarch64__)
  kernels.push_back({"neon", IsZeroNeon});
#endif
  kernels.push_back({"scalar", IsZeroScalar});
  return kernels;
}

}  // namespace

std::span<const ZeroScanKernel> ZeroScanKernels() {
  // Never freed: threads may still scan while the process exits.
  static const auto* kernels = new std::vector<ZeroScanKernel>(AvailableKernels());
  return *kernels;
}

}  // namespace ebs
