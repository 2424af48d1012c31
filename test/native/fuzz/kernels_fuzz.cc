// All kernels agree with the portable ones, on any bytes, lengths, alignments and numbers of
// messages.

#include <algorithm>
#include <cstring>
#include <vector>

#include "fuzz/script.h"
#include "sha256.h"
#include "zero_scan.h"

namespace ebs {
namespace {

constexpr size_t kMessagesMax = 5;

void HashWithEach(const std::vector<const uint8_t*>& messages, size_t size) {
  std::vector<uint8_t> expected(messages.size() * kDigestSize), digests(expected.size());
  Sha256(Sha256Kernels().back(), messages, size, expected.data());
  for (const Sha256Kernel& kernel : Sha256Kernels()) {
    Sha256(kernel, messages, size, digests.data());
    EBS_FUZZ_CHECK(digests == expected);
  }
}

void ScanWithEach(const uint8_t* bytes, size_t size) {
  bool is_zero = std::all_of(bytes, bytes + size, [](uint8_t byte) { return byte == 0; });
  for (const ZeroScanKernel& kernel : ZeroScanKernels()) {
    EBS_FUZZ_CHECK(kernel.is_zero(bytes, size) == is_zero);
  }
}

// Memory of its own for each message: the sanitizer sees a byte beside it.
class Message {
 public:
  Message(Script* script, size_t size) : memory_(64 + size), offset_(script->Below(64)) {
    memory_.resize(offset_ + size);
    memory_.shrink_to_fit();
    size_t start = script->Next<uint16_t>();
    start = std::min(start, script->rest_size());
    size_t count = std::min(size, script->rest_size() - start);
    if (count > 0) std::memcpy(memory_.data() + offset_, script->rest() + start, count);
  }

  const uint8_t* bytes() const { return memory_.data() + offset_; }

 private:
  std::vector<uint8_t> memory_;
  size_t offset_;
};

}  // namespace
}  // namespace ebs

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t data_size) {
  ebs::Script script(data, data_size);
  size_t count = 1 + script.Below(ebs::kMessagesMax);
  size_t size = script.Below(3000);
  std::vector<ebs::Message> messages;
  std::vector<const uint8_t*> addresses;
  for (size_t i = 0; i < count; i++) messages.emplace_back(&script, size);
  for (const ebs::Message& message : messages) {
    addresses.push_back(message.bytes());
    ebs::ScanWithEach(message.bytes(), size);
  }
  ebs::HashWithEach(addresses, size);
  return 0;
}
