#ifndef EBS_NATIVE_RECEIVE_WINDOW_H_
#define EBS_NATIVE_RECEIVE_WINDOW_H_

#include "status.h"

namespace ebs {

// Bounds what the kernel takes in for the connections that a listening socket accepts from now on:
// a fixed receive buffer, and segments of at most `segment_bytes`, 0 for as large as the device has
// them. Segments count because the sender sizes its own buffer by them; over loopback's 64 KiB it
// would swallow megabytes.
Status SetReceiveWindow(int listening_fd, int window_bytes, int segment_bytes);

}  // namespace ebs

#endif  // EBS_NATIVE_RECEIVE_WINDOW_H_
