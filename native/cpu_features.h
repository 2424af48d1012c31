#ifndef EBS_NATIVE_CPU_FEATURES_H_
#define EBS_NATIVE_CPU_FEATURES_H_

namespace ebs {

// Instruction sets that a kernel of this addon can use. Only those of the architecture it was
// compiled for can be true.
struct CpuFeatures {
  bool sha_ni = false;      // x86: SHA extensions and AVX, enabled by the operating system.
  bool avx2 = false;        // x86: AVX2, enabled by the operating system.
  bool armv8_sha2 = false;  // ARM: SHA-256 instructions of the ARMv8 cryptography extension.
};

// Asks the processor, once. Any thread.
const CpuFeatures& GetCpuFeatures();

}  // namespace ebs

#endif  // EBS_NATIVE_CPU_FEATURES_H_
