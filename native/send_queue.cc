#include "send_queue.h"

#if defined(__linux__)
#include <linux/sockios.h>
#include <sys/ioctl.h>
#else
#include <sys/socket.h>
#endif

namespace ebs {

int UnacknowledgedBytes(int fd) {
  int bytes = 0;
#if defined(__linux__)
  if (ioctl(fd, SIOCOUTQ, &bytes) != 0) return -1;
#elif defined(SO_NWRITE)
  socklen_t size = sizeof bytes;
  if (getsockopt(fd, SOL_SOCKET, SO_NWRITE, &bytes, &size) != 0) return -1;
#else
  static_cast<void>(fd);
  return -1;
#endif
  return bytes;
}

}  // namespace ebs
