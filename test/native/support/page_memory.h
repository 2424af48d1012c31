#ifndef EBS_TEST_NATIVE_SUPPORT_PAGE_MEMORY_H_
#define EBS_TEST_NATIVE_SUPPORT_PAGE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "sizes.h"

namespace ebs {

// Memory on a page border, around which the address sanitizer sees a byte too far. Never zero at
// first, so that what was not written shows.
class PageMemory {
 public:
  explicit PageMemory(size_t size)
      : bytes_(static_cast<uint8_t*>(std::aligned_alloc(kPageSize, size))) {
    std::memset(bytes_, 0xdb, size);
  }
  ~PageMemory() { std::free(bytes_); }
  PageMemory(const PageMemory&) = delete;
  PageMemory& operator=(const PageMemory&) = delete;

  uint8_t* bytes() const { return bytes_; }

 private:
  uint8_t* const bytes_;
};

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_PAGE_MEMORY_H_
