#ifndef EBS_TEST_NATIVE_FUZZ_SCRIPT_H_
#define EBS_TEST_NATIVE_FUZZ_SCRIPT_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

// Ends the process, and so the fuzzing, where something is that must not be.
#define EBS_FUZZ_CHECK(is_so)                                                        \
  do {                                                                               \
    if (!(is_so)) {                                                                  \
      std::fprintf(stderr, "%s:%d: it is not so: %s\n", __FILE__, __LINE__, #is_so); \
      __builtin_trap();                                                              \
    }                                                                                \
  } while (0)

namespace ebs {

// An input of a fuzzer, read as a row of choices; zeros when it is at its end.
class Script {
 public:
  Script(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}

  template <typename Number>
  Number Next() {
    Number number = 0;
    size_t size = size_ < sizeof number ? size_ : sizeof number;
    if (size > 0) std::memcpy(&number, bytes_, size);
    bytes_ += size;
    size_ -= size;
    return number;
  }

  size_t Below(size_t limit) { return Next<uint16_t>() % limit; }

  // What is left of the input.
  const uint8_t* rest() const { return bytes_; }
  size_t rest_size() const { return size_; }

 private:
  const uint8_t* bytes_;
  size_t size_;
};

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_FUZZ_SCRIPT_H_
