#include "target_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "direct_io.h"
#include "sizes.h"
#include "whole_write.h"

#if defined(__linux__)
#include <linux/fs.h>
#endif

namespace ebs {
namespace {

// What is written where zeros cannot be had otherwise. Never changed.
alignas(kPageSize) uint8_t zeros[kBlockSize];

Status Failed(const char* syscall, uint64_t offset = 0) {
  return {.error_number = errno, .syscall = syscall, .offset = offset};
}

bool IsPageMultiple(uint64_t number) { return number % kPageSize == 0; }

// How many of `size` bytes, from the first on, may be written past the page cache.
size_t DirectSize(const uint8_t* bytes, size_t size, uint64_t offset) {
  bool is_aligned = IsPageMultiple(offset) && IsPageMultiple(reinterpret_cast<uintptr_t>(bytes));
  return is_aligned ? size - size % kPageSize : 0;
}

#if defined(__linux__)

// Whether the kernel has made a range zero by itself. On a device only what guarantees zeros:
// BLKDISCARD does not.
bool ClearInKernel(int descriptor, bool is_block_device, uint64_t offset, uint64_t size) {
  if (is_block_device) {
    uint64_t range[2] = {offset, size};
    return ioctl(descriptor, BLKZEROOUT, range) == 0;
  }
  return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                   static_cast<off_t>(offset), static_cast<off_t>(size)) == 0;
}

#else

bool ClearInKernel(int, bool, uint64_t, uint64_t) {
  errno = EOPNOTSUPP;
  return false;
}

#endif

// EINVAL: of a range that is not whole sectors. ENOTTY: of what has no such call.
bool IsNotToBeHad(int error_number) {
  return error_number == EOPNOTSUPP || error_number == ENOTTY || error_number == EINVAL ||
         error_number == ENOSYS || error_number == EPERM;
}

}  // namespace

TargetFile::~TargetFile() { Close(); }

Status TargetFile::Open(int descriptor) {
  buffered_descriptor_ = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (buffered_descriptor_ < 0) return Failed("fcntl");
  struct stat stats;
  if (fstat(buffered_descriptor_, &stats) != 0) {
    Status status = Failed("fstat");
    Close();
    return status;
  }
  is_block_device_ = S_ISBLK(stats.st_mode);
  OpenDirect();
  return {};
}

void TargetFile::Close() {
  if (direct_descriptor_ >= 0 && direct_descriptor_ != buffered_descriptor_) {
    close(direct_descriptor_);
  }
  if (buffered_descriptor_ >= 0) close(buffered_descriptor_);
  direct_descriptor_ = buffered_descriptor_ = -1;
}

#if defined(O_DIRECT)

// By way of /proc it is the same file, whatever its name means by now. Where a file system refuses
// O_DIRECT, or there is no /proc, all writes are buffered.
void TargetFile::OpenDirect() {
  if (DirectIoOf(buffered_descriptor_) == DirectIo::kNo) return;
  std::string path = "/proc/self/fd/" + std::to_string(buffered_descriptor_);
  do {
    direct_descriptor_ = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_DIRECT);
  } while (direct_descriptor_ < 0 && errno == EINTR);
}

#else

// fcntl(2) of macOS: F_NOCACHE turns data caching off for the descriptor, without rules on
// alignment.
void TargetFile::OpenDirect() {
  if (fcntl(buffered_descriptor_, F_NOCACHE, 1) == 0) direct_descriptor_ = buffered_descriptor_;
}

#endif

Status TargetFile::Write(const uint8_t* bytes, size_t size, uint64_t offset) const {
  return WriteWhole(bytes, size, offset, [this](const uint8_t* part, size_t length, uint64_t at) {
    return WriteSome(part, length, at);
  });
}

ssize_t TargetFile::WriteSome(const uint8_t* bytes, size_t size, uint64_t offset) const {
  if (size_t direct = is_direct() ? DirectSize(bytes, size, offset) : 0; direct > 0) {
    ssize_t written = pwrite(direct_descriptor_, bytes, direct, static_cast<off_t>(offset));
    // EINVAL: past the cache it is not to be had here.
    if (written >= 0 || errno != EINVAL) return written;
  }
  return WriteBuffered(bytes, size, offset);
}

// A volume is larger than memory and not read soon: left in the cache, it would drive out all else,
// and be written out at the end, when everybody waits for it.
ssize_t TargetFile::WriteBuffered(const uint8_t* bytes, size_t size, uint64_t offset) const {
  ssize_t written = pwrite(buffered_descriptor_, bytes, size, static_cast<off_t>(offset));
#if defined(__linux__)
  if (written > 0) {
    // Its failure is told by fdatasync too, which is waited for in any case.
    sync_file_range(
        buffered_descriptor_, static_cast<off_t>(offset), static_cast<off_t>(written),
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    posix_fadvise(buffered_descriptor_, static_cast<off_t>(offset), static_cast<off_t>(written),
                  POSIX_FADV_DONTNEED);
  }
#endif
  return written;
}

Status TargetFile::Clear(uint64_t offset, uint64_t size) const {
  if (size == 0) return {};
  int error_number = 0;
  do {
    if (ClearInKernel(buffered_descriptor_, is_block_device_, offset, size)) return {};
    error_number = errno;
  } while (error_number == EINTR);
  if (IsNotToBeHad(error_number)) return WriteZeros(offset, size);
  return {.error_number = error_number,
          .syscall = is_block_device_ ? "ioctl" : "fallocate",
          .offset = offset};
}

Status TargetFile::WriteZeros(uint64_t offset, uint64_t size) const {
  for (uint64_t done = 0; done < size;) {
    size_t piece = static_cast<size_t>(std::min<uint64_t>(size - done, kBlockSize));
    Status status = Write(zeros, piece, offset + done);
    if (!status.ok()) return status;
    done += piece;
  }
  return {};
}

Status TargetFile::Sync() const {
#if defined(F_FULLFSYNC)
  // On macOS, fsync(2) leaves the bytes in the disk's own cache.
  if (fcntl(buffered_descriptor_, F_FULLFSYNC) == 0) return {};
#endif
  while (fsync(buffered_descriptor_) != 0) {
    if (errno != EINTR) return Failed("fsync");
  }
#if defined(POSIX_FADV_DONTNEED)
  // File systems that take O_DIRECT may leave pages in the cache nevertheless.
  posix_fadvise(buffered_descriptor_, 0, 0, POSIX_FADV_DONTNEED);
#endif
  return {};
}

}  // namespace ebs
