#include "cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ebs {
namespace {

CpuFeatures Detect() {
  CpuFeatures features;
#if defined(__x86_64__)
  // GCC's __builtin_cpu_supports knows no "sha" before GCC 14; Intel SDM: CPUID.(7,0):EBX bit 29.
  constexpr unsigned kShaBit = 1u << 29;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  bool has_sha = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & kShaBit) != 0;
  features.sha_ni = has_sha && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
  features.avx2 = __builtin_cpu_supports("avx2");
#elif defined(__aarch64__) && defined(__linux__)
  features.armv8_sha2 = (getauxval(AT_HWCAP) & HWCAP_SHA2) != 0;
#elif defined(__aarch64__) && defined(__APPLE__)
  // Every Apple processor with a 64-bit ARM core has the extension.
  features.armv8_sha2 = true;
#endif
  return features;
}

}  // namespace

const CpuFeatures& GetCpuFeatures() {
  static const CpuFeatures features = Detect();
  return features;
}

}  // namespace ebs
