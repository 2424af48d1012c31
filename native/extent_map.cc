#include "extent_map.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "sizes.h"

namespace ebs {
namespace {

uint64_t BlockCeil(uint64_t bytes) { return (bytes + kBlockSize - 1) / kBlockSize; }

// fdatasync(2): needs no right to write. macOS has fsync alone.
int FlushDirtyPages(int descriptor) {
#if defined(__APPLE__)
  return fsync(descriptor);
#else
  return fdatasync(descriptor);
#endif
}

}  // namespace

void ExtentMap::Start(const SourceFile& file) {
  file_ = &file;
  file_end_block_ = BlockCeil(file.size_bytes());
  current_ = {};
  if (file.is_block_device() || FlushDirtyPages(file.descriptor()) != 0) Distrust();
}

Status ExtentMap::Find(uint64_t block, Extent* extent) {
  if (block >= current_.end_block) {
    Status status = Discover(block);
    if (!status.ok()) return status;
  }
  *extent = current_;
  return {};
}

Status ExtentMap::Discover(uint64_t block) {
  off_t start = static_cast<off_t>(block * kBlockSize);
  off_t data = lseek(file_->descriptor(), start, SEEK_DATA);
  if (data < 0 && errno == ENXIO) return DiscoverNothingMore(block);
  off_t hole = data < start ? -1 : lseek(file_->descriptor(), data, SEEK_HOLE);
  if (hole <= data) {
    Distrust();
    return {};
  }
  uint64_t data_block = static_cast<uint64_t>(data) / kBlockSize;
  if (data_block > block) {
    current_ = {.end_block = std::min(data_block, file_end_block_), .is_hole = true};
  } else {
    current_ = {.end_block = std::min(BlockCeil(static_cast<uint64_t>(hole)), file_end_block_)};
  }
  return {};
}

// ENXIO says that no data follows, or that the file has ended before.
Status ExtentMap::DiscoverNothingMore(uint64_t block) {
  struct stat stats;
  if (fstat(file_->descriptor(), &stats) != 0) {
    return {.error_number = errno, .syscall = "fstat", .offset = block * kBlockSize};
  }
  uint64_t size_now = static_cast<uint64_t>(stats.st_size);
  if (size_now >= file_->size_bytes()) {
    current_ = {.end_block = file_end_block_, .is_hole = true};
    return {};
  }
  // The hole goes as far as the file; to read on from there fails.
  if (uint64_t whole_end = size_now / kBlockSize; whole_end > block) {
    current_ = {.end_block = whole_end, .is_hole = true};
    return {};
  }
  uint64_t first_missing = std::max(size_now, block * kBlockSize);
  return {.error_number = ENODATA, .syscall = "lseek", .offset = first_missing};
}

// From here on everything is read.
void ExtentMap::Distrust() { current_ = {.end_block = file_end_block_}; }

}  // namespace ebs
