#ifndef EBS_TEST_NATIVE_SUPPORT_FENCED_MEMORY_H_
#define EBS_TEST_NATIVE_SUPPORT_FENCED_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace ebs {

// Memory between two pages that nobody may touch: one byte too far ends the process. Zero at first.
class FencedMemory {
 public:
  explicit FencedMemory(size_t page_count);
  ~FencedMemory();
  FencedMemory(const FencedMemory&) = delete;
  FencedMemory& operator=(const FencedMemory&) = delete;

  uint8_t* begin() const { return begin_; }
  uint8_t* end() const { return begin_ + size_; }
  size_t size() const { return size_; }

 private:
  uint8_t* begin_;
  size_t size_;
};

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_FENCED_MEMORY_H_
