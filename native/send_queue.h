#ifndef EBS_NATIVE_SEND_QUEUE_H_
#define EBS_NATIVE_SEND_QUEUE_H_

namespace ebs {

// Bytes that the kernel has taken on a connected TCP socket and that the other side has not
// acknowledged yet; -1 where that cannot be told. A send buffer swallows whole blocks, so that a
// write has ended says nothing of a slow path.
int UnacknowledgedBytes(int fd);

}  // namespace ebs

#endif  // EBS_NATIVE_SEND_QUEUE_H_
