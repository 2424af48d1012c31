#include "cpu_features.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "sha256.h"
#include "zero_scan.h"

namespace ebs {
namespace {

// What the kernel says that the processor can do.
bool IsInCpuInfo(const std::string& feature) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == feature) return true;
    }
    return false;
  }
  return false;
}

// Under an emulator /proc/cpuinfo is of another processor; the script then says what to expect.
std::string ExpectedKernels() {
  if (const char* expected = std::getenv("EBS_TEST_KERNELS")) return expected;
#if defined(__x86_64__)
  return std::string(IsInCpuInfo("sha_ni") ? "sha-ni " : "") + "portable " +
         (IsInCpuInfo("avx2") ? "avx2 " : "") + "scalar";
#elif defined(__aarch64__)
  return std::string(IsInCpuInfo("sha2") ? "armv8 " : "") + "portable neon scalar";
#else
  return "portable scalar";
#endif
}

TEST(CpuFeatures, ChooseTheKernelsThatTheProcessorCanRun) {
  std::string chosen;
  for (const Sha256Kernel& kernel : Sha256Kernels()) chosen += std::string(kernel.name) + " ";
  for (const ZeroScanKernel& kernel : ZeroScanKernels()) chosen += std::string(kernel.name) + " ";
  chosen.pop_back();
  EXPECT_EQ(chosen, ExpectedKernels());
}

}  // namespace
}  // namespace ebs
