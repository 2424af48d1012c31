#include "fenced_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

namespace ebs {

FencedMemory::FencedMemory(size_t page_count) {
  size_t page_size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_ = page_count * page_size;
  void* fenced =
      mmap(nullptr, size_ + 2 * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fenced == MAP_FAILED) abort();
  begin_ = static_cast<uint8_t*>(fenced) + page_size;
  if (mprotect(begin_, size_, PROT_READ | PROT_WRITE) != 0) abort();
}

FencedMemory::~FencedMemory() {
  size_t page_size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  munmap(begin_ - page_size, size_ + 2 * page_size);
}

}  // namespace ebs
