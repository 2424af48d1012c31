#include "source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "direct_io.h"
#include "sizes.h"

#if defined(__APPLE__)
#include <sys/disk.h>
#endif

namespace ebs {
namespace {

Status Failed(const char* syscall, int error_number = errno) {
  return {.error_number = error_number, .syscall = syscall};
}

Status CheckKind(const std::string& path) {
  struct stat stats;
  if (stat(path.c_str(), &stats) != 0) return Failed("stat");
  if (S_ISREG(stats.st_mode) || S_ISBLK(stats.st_mode)) return {};
  return Failed("open", S_ISDIR(stats.st_mode) ? EISDIR : ESPIPE);
}

int OpenRetrying(const std::string& path, int flags) {
  int descriptor;
  do {
    descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

bool IsPageMultiple(uint64_t number) { return number % kPageSize == 0; }

// How many of `pieces`, from the first on, may be read past the page cache.
size_t CountAligned(std::span<const iovec> pieces, uint64_t offset) {
  if (!IsPageMultiple(offset)) return 0;
  size_t count = 0;
  while (count < pieces.size() && IsPageMultiple(pieces[count].iov_len) &&
         IsPageMultiple(reinterpret_cast<uintptr_t>(pieces[count].iov_base))) {
    count++;
  }
  return count;
}

// Moves the start of `pieces` by `size` bytes, which they have.
std::span<iovec> Advance(std::span<iovec> pieces, size_t size) {
  while (size > 0 && size >= pieces.front().iov_len) {
    size -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (size > 0) {
    iovec& piece = pieces.front();
    piece = {static_cast<uint8_t*>(piece.iov_base) + size, piece.iov_len - size};
  }
  return pieces;
}

}  // namespace

SourceFile::~SourceFile() { Close(); }

Status SourceFile::Open(const std::string& path) {
  Status status = CheckKind(path);
  if (!status.ok()) return status;
  buffered_descriptor_ = OpenRetrying(path, 0);
  if (buffered_descriptor_ < 0) return Failed("open");
  status = FindSize();
  if (!status.ok()) {
    Close();
    return status;
  }
  OpenDirect(path);
  return {};
}

void SourceFile::Close() {
  // What was read last may have been busy when it was to be dropped, and what the kernel read ahead
  // may have come after that.
  if (buffered_descriptor_ >= 0 && (is_direct_doubtful_ || !is_direct())) DropBehind(0, 0);
  if (direct_descriptor_ >= 0 && direct_descriptor_ != buffered_descriptor_) {
    close(direct_descriptor_);
  }
  if (buffered_descriptor_ >= 0) close(buffered_descriptor_);
  direct_descriptor_ = buffered_descriptor_ = -1;
}

Status SourceFile::FindSize() {
  struct stat stats;
  if (fstat(buffered_descriptor_, &stats) != 0) return Failed("fstat");
  is_block_device_ = S_ISBLK(stats.st_mode);
  if (!is_block_device_) {
    size_bytes_ = static_cast<uint64_t>(stats.st_size);
    return {};
  }
#if defined(__APPLE__)
  uint64_t sector_count = 0;
  uint32_t sector_size = 0;
  if (ioctl(buffered_descriptor_, DKIOCGETBLOCKCOUNT, &sector_count) != 0 ||
      ioctl(buffered_descriptor_, DKIOCGETBLOCKSIZE, &sector_size) != 0) {
    return Failed("ioctl");
  }
  size_bytes_ = sector_count * sector_size;
#else
  off_t end = lseek(buffered_descriptor_, 0, SEEK_END);
  if (end < 0) return Failed("lseek");
  size_bytes_ = static_cast<uint64_t>(end);
#endif
  return {};
}

#if defined(O_DIRECT)

// Some file systems refuse O_DIRECT when opening, some only when reading: one page is tried. Any
// other failure of that read is left for the reading itself to find, at its place.
void SourceFile::OpenDirect(const std::string& path) {
  DirectIo direct_io = DirectIoOf(buffered_descriptor_);
  if (direct_io == DirectIo::kNo) return;
  is_direct_doubtful_ = direct_io == DirectIo::kUnknown && !is_block_device_;
  direct_descriptor_ = OpenRetrying(path, O_DIRECT);
  if (direct_descriptor_ < 0) return;
  std::unique_ptr<void, decltype(&free)> page(aligned_alloc(kPageSize, kPageSize), &free);
  if (pread(direct_descriptor_, page.get(), kPageSize, 0) < 0 && errno == EINVAL) {
    close(direct_descriptor_);
    direct_descriptor_ = -1;
  }
}

#else

// fcntl(2) of macOS: F_NOCACHE turns data caching off for the descriptor, without rules on
// alignment.
void SourceFile::OpenDirect(const std::string&) {
  if (fcntl(buffered_descriptor_, F_NOCACHE, 1) == 0) direct_descriptor_ = buffered_descriptor_;
}

#endif

Status SourceFile::Read(std::span<iovec> pieces, uint64_t offset) const {
  while (!pieces.empty()) {
    ssize_t size = ReadSome(pieces, offset);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      int error_number = size < 0 ? errno : ENODATA;
      return {.error_number = error_number, .syscall = "read", .offset = offset};
    }
    pieces = Advance(pieces, static_cast<size_t>(size));
    offset += static_cast<uint64_t>(size);
  }
  return {};
}

ssize_t SourceFile::ReadSome(std::span<const iovec> pieces, uint64_t offset) const {
  if (size_t count = is_direct() ? CountAligned(pieces, offset) : 0; count > 0) {
    ssize_t size = preadv(direct_descriptor_, pieces.data(), static_cast<int>(count),
                          static_cast<off_t>(offset));
    if (size > 0 && is_direct_doubtful_) DropBehind(offset, static_cast<size_t>(size));
    if (size >= 0 || errno == EINTR) return size;
    // A read past the cache fails as a whole, or (EINVAL) is not to be had here. One through the
    // cache gets as far as the first bad page, which tells where the failure is.
  }
  return ReadBuffered(pieces, offset);
}

ssize_t SourceFile::ReadBuffered(std::span<const iovec> pieces, uint64_t offset) const {
  ssize_t size = preadv(buffered_descriptor_, pieces.data(), static_cast<int>(pieces.size()),
                        static_cast<off_t>(offset));
  if (size > 0) DropBehind(offset, static_cast<size_t>(size));
  return size;
}

// Drops `size` bytes from `offset` on, or all that follow where it is 0. A disk is read once and is
// larger than memory: left in the cache, it would drive out all else.
void SourceFile::DropBehind(uint64_t offset, size_t size) const {
#if defined(POSIX_FADV_DONTNEED)
  posix_fadvise(buffered_descriptor_, static_cast<off_t>(offset), static_cast<off_t>(size),
                POSIX_FADV_DONTNEED);
#else
  (void)offset;
  (void)size;
#endif
}

}  // namespace ebs
