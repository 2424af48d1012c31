#ifndef EBS_NATIVE_TARGET_FILE_H_
#define EBS_NATIVE_TARGET_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "status.h"

namespace ebs {

// A regular file or block device that is written: past the page cache where the file system can,
// through it, written out and dropped at once, where it cannot. Open and Close once, from one
// thread; the rest in between, from any number of threads.
class TargetFile {
 public:
  TargetFile() = default;
  ~TargetFile();
  TargetFile(const TargetFile&) = delete;
  TargetFile& operator=(const TargetFile&) = delete;

  // Takes duplicates of a descriptor that is open for writing, which stays the caller's: what the
  // threads write to is then there as long as they are.
  Status Open(int descriptor);

  // Idempotent.
  void Close();

  // Writes all of `bytes` at `offset`; completes short writes. What of offset, address and size is
  // a multiple of kPageSize goes past the page cache.
  Status Write(const uint8_t* bytes, size_t size, uint64_t offset) const;

  // Makes a range read as zeros: as a hole of a file, as the device's own zeros, or by writing them
  // where neither is to be had.
  Status Clear(uint64_t offset, uint64_t size) const;

  // Makes everything written so far outlive the machine.
  Status Sync() const;

  // Whether aligned writes go past the page cache.
  bool is_direct() const { return direct_descriptor_ >= 0; }

 private:
  void OpenDirect();
  ssize_t WriteSome(const uint8_t* bytes, size_t size, uint64_t offset) const;
  ssize_t WriteBuffered(const uint8_t* bytes, size_t size, uint64_t offset) const;
  Status WriteZeros(uint64_t offset, uint64_t size) const;

  int buffered_descriptor_ = -1;
  int direct_descriptor_ = -1;
  bool is_block_device_ = false;
};

}  // namespace ebs

#endif  // EBS_NATIVE_TARGET_FILE_H_
