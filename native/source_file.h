#ifndef EBS_NATIVE_SOURCE_FILE_H_
#define EBS_NATIVE_SOURCE_FILE_H_

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>

#include "status.h"

namespace ebs {

// A regular file or block device, opened for reading: past the page cache where the file system
// can, through it and dropping it behind where it cannot. Open and Close once, from one thread;
// Read in between, from any number of threads.
class SourceFile {
 public:
  SourceFile() = default;
  ~SourceFile();
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;

  // EISDIR for a folder, ESPIPE for a pipe, socket or character device, which are not opened at
  // all: to open can be to act (a tape rewinds).
  Status Open(const std::string& path);

  // Idempotent.
  void Close();

  // Fills `pieces`, in order, from `offset` on; completes short reads. ENODATA when the file ends
  // before the pieces do. Changes `pieces`. Reads past the page cache as long as offset, addresses
  // and lengths are multiples of kPageSize.
  Status Read(std::span<iovec> pieces, uint64_t offset) const;

  // The descriptor whose reads are buffered, for calls that ask about the file.
  int descriptor() const { return buffered_descriptor_; }
  uint64_t size_bytes() const { return size_bytes_; }
  bool is_block_device() const { return is_block_device_; }
  // Whether reads go past the page cache.
  bool is_direct() const { return direct_descriptor_ >= 0; }

 private:
  Status FindSize();
  void OpenDirect(const std::string& path);
  ssize_t ReadSome(std::span<const iovec> pieces, uint64_t offset) const;
  ssize_t ReadBuffered(std::span<const iovec> pieces, uint64_t offset) const;
  void DropBehind(uint64_t offset, size_t size) const;

  int buffered_descriptor_ = -1;
  int direct_descriptor_ = -1;
  // Whether reads of direct_descriptor_ may leave pages in the cache nevertheless.
  bool is_direct_doubtful_ = false;
  uint64_t size_bytes_ = 0;
  bool is_block_device_ = false;
};

}  // namespace ebs

#endif  // EBS_NATIVE_SOURCE_FILE_H_
