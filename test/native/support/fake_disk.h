#ifndef EBS_TEST_NATIVE_SUPPORT_FAKE_DISK_H_
#define EBS_TEST_NATIVE_SUPPORT_FAKE_DISK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "support/interposed_system.h"

namespace ebs {

// A file or block device that is nothing but answers of system calls: of any size, failing where it
// is told to. Set it up before its hooks are installed; while they are, only `size_bytes` may
// change.
class FakeDisk {
 public:
  static constexpr const char* kPath = "/fake/disk";
  // What open answers, without and with O_DIRECT.
  static constexpr int kBuffered = 1 << 20;
  static constexpr int kDirect = kBuffered + 1;

  // All blocks are data.
  explicit FakeDisk(uint64_t size);

  // Answers for kPath and its descriptors; the system answers for all others.
  SystemHooks Hooks();

  // What is on the disk from `offset` on: zero in zero blocks and holes, and elsewhere different in
  // each block, and in each page of it.
  void Fill(uint8_t* bytes, size_t size, uint64_t offset) const;
  // Whether `bytes` are what is on the disk in this block, zeros behind its end included.
  bool IsBlock(const uint8_t* bytes, uint64_t block) const;

  uint64_t BlockCount() const;

  std::atomic<uint64_t> size_bytes;
  bool is_block_device = false;
  // Whether it can be opened with O_DIRECT.
  bool takes_direct = true;
  // Blocks that the file system says are holes; blocks that hold written zeros.
  std::set<uint64_t> holes;
  std::set<uint64_t> zeros;
  // No read gets past this byte: those through the page cache end before its page, all others fail.
  uint64_t bad_offset = UINT64_MAX;
  int bad_error = 0;

  std::atomic<int> open_count{0};

 private:
  int Open(int flags);
  int Stat(struct stat* stats) const;
  off_t Seek(off_t offset, int whence) const;
  ssize_t Read(int descriptor, const iovec* pieces, int count, off_t offset) const;
};

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_FAKE_DISK_H_
