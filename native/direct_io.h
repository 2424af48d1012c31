#ifndef EBS_NATIVE_DIRECT_IO_H_
#define EBS_NATIVE_DIRECT_IO_H_

namespace ebs {

// What a file system makes of O_DIRECT: kNo serves it through the page cache, as ext4 does while it
// journals data; kUnknown may do so, as btrfs does without a word.
enum class DirectIo { kNo, kYes, kUnknown };

// Asks statx(2) for STATX_DIOALIGN, which is known from Linux 6.1 on and to some file systems.
DirectIo DirectIoOf(int descriptor);

}  // namespace ebs

#endif  // EBS_NATIVE_DIRECT_IO_H_
