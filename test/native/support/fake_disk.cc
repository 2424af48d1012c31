#include "fake_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "sizes.h"

namespace ebs {
namespace {

bool IsOurs(int descriptor) {
  return descriptor == FakeDisk::kBuffered || descriptor == FakeDisk::kDirect;
}

bool IsPageMultiple(uint64_t number) { return number % kPageSize == 0; }

}  // namespace

FakeDisk::FakeDisk(uint64_t size) : size_bytes(size) {}

uint64_t FakeDisk::BlockCount() const { return (size_bytes + kBlockSize - 1) / kBlockSize; }

SystemHooks FakeDisk::Hooks() {
  SystemHooks hooks;
  hooks.open = [this](const char* path, int flags) {
    return std::strcmp(path, kPath) == 0 ? Open(flags) : __real_open(path, flags);
  };
  hooks.close = [this](int descriptor) {
    if (!IsOurs(descriptor)) return __real_close(descriptor);
    open_count--;
    return 0;
  };
  hooks.stat = [this](const char* path, struct stat* stats) {
    return std::strcmp(path, kPath) == 0 ? Stat(stats) : __real_stat(path, stats);
  };
  hooks.fstat = [this](int descriptor, struct stat* stats) {
    return IsOurs(descriptor) ? Stat(stats) : __real_fstat(descriptor, stats);
  };
  hooks.lseek = [this](int descriptor, off_t offset, int whence) {
    return IsOurs(descriptor) ? Seek(offset, whence) : __real_lseek(descriptor, offset, whence);
  };
  hooks.pread = [this](int descriptor, void* bytes, size_t size, off_t offset) {
    iovec piece = {bytes, size};
    return IsOurs(descriptor) ? Read(descriptor, &piece, 1, offset)
                              : __real_pread(descriptor, bytes, size, offset);
  };
  hooks.preadv = [this](int descriptor, const iovec* pieces, int count, off_t offset) {
    return IsOurs(descriptor) ? Read(descriptor, pieces, count, offset)
                              : __real_preadv(descriptor, pieces, count, offset);
  };
  hooks.fdatasync = [](int) { return 0; };
  hooks.posix_fadvise = [](int, off_t, off_t, int) { return 0; };
  return hooks;
}

void FakeDisk::Fill(uint8_t* bytes, size_t size, uint64_t offset) const {
  while (size > 0) {
    uint64_t block = offset / kBlockSize;
    size_t part = std::min<uint64_t>(size, (block + 1) * kBlockSize - offset);
    bool is_empty = holes.count(block) + zeros.count(block) > 0;
    std::memset(bytes, is_empty ? 0 : static_cast<int>(block % 255 + 1), part);
    // Each page begins with its number, in one byte: there are 128 in a block.
    uint64_t page = (offset + kPageSize - 1) / kPageSize;
    for (; !is_empty && page * kPageSize < offset + part; page++) {
      bytes[page * kPageSize - offset] = static_cast<uint8_t>(page % 128 + 1);
    }
    bytes += part;
    offset += part;
    size -= part;
  }
}

bool FakeDisk::IsBlock(const uint8_t* bytes, uint64_t block) const {
  std::vector<uint8_t> expected(kBlockSize);
  uint64_t offset = block * kBlockSize;
  Fill(expected.data(), std::min<uint64_t>(kBlockSize, size_bytes - offset), offset);
  return std::memcmp(bytes, expected.data(), kBlockSize) == 0;
}

int FakeDisk::Open(int flags) {
  bool is_direct = (flags & O_DIRECT) != 0;
  if (is_direct && !takes_direct) return Fail(EINVAL);
  open_count++;
  return is_direct ? kDirect : kBuffered;
}

int FakeDisk::Stat(struct stat* stats) const {
  *stats = {};
  stats->st_mode = is_block_device ? S_IFBLK : S_IFREG;
  stats->st_size = is_block_device ? 0 : static_cast<off_t>(size_bytes);
  return 0;
}

off_t FakeDisk::Seek(off_t offset, int whence) const {
  off_t size = static_cast<off_t>(size_bytes);
  if (whence == SEEK_END) return size + offset;
  if (offset >= size) return Fail(ENXIO);
  bool is_hole_wanted = whence == SEEK_HOLE;
  for (uint64_t block = static_cast<uint64_t>(offset) / kBlockSize; block < BlockCount(); block++) {
    if (holes.contains(block) != is_hole_wanted) continue;
    return std::max(offset, static_cast<off_t>(block * kBlockSize));
  }
  return is_hole_wanted ? size : Fail(ENXIO);
}

ssize_t FakeDisk::Read(int descriptor, const iovec* pieces, int count, off_t offset) const {
  uint64_t start = static_cast<uint64_t>(offset);
  uint64_t end = start;
  for (int i = 0; i < count; i++) {
    bool is_aligned = IsPageMultiple(start) && IsPageMultiple(pieces[i].iov_len) &&
                      IsPageMultiple(reinterpret_cast<uintptr_t>(pieces[i].iov_base));
    if (descriptor == kDirect && !is_aligned) return Fail(EINVAL);
    end += pieces[i].iov_len;
  }
  end = std::max(start, std::min<uint64_t>(end, size_bytes));
  if (end > bad_offset) {
    uint64_t good_end = bad_offset / kPageSize * kPageSize;
    if (descriptor == kDirect || good_end <= start) return Fail(bad_error);
    end = good_end;
  }
  for (uint64_t position = start; position < end; pieces++) {
    size_t part = std::min<uint64_t>(pieces->iov_len, end - position);
    Fill(static_cast<uint8_t*>(pieces->iov_base), part, position);
    position += part;
  }
  return static_cast<ssize_t>(end - start);
}

}  // namespace ebs
