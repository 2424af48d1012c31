#ifndef EBS_TEST_NATIVE_SUPPORT_NIST_VECTORS_H_
#define EBS_TEST_NATIVE_SUPPORT_NIST_VECTORS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace ebs {

// One entry of a response file of NIST's validation program (test/native/vectors).
struct NistVector {
  std::vector<uint8_t> message;
  std::string digest;
};

// Entries of SHA256ShortMsg.rsp or SHA256LongMsg.rsp.
std::vector<NistVector> ReadMessageVectors(const std::string& file_name);

// SHA256Monte.rsp: where it starts, and the digest after each thousand hashes.
struct NistMonteCarlo {
  std::vector<uint8_t> seed;
  std::vector<std::string> digests;
};

NistMonteCarlo ReadMonteCarlo(const std::string& file_name);

std::vector<uint8_t> BytesFromHex(const std::string& hex);
std::string ToHex(const uint8_t* bytes, size_t size);

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_NIST_VECTORS_H_
