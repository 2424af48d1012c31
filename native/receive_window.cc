#include "receive_window.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace ebs {

Status SetReceiveWindow(int listening_fd, int window_bytes, int segment_bytes) {
  if (setsockopt(listening_fd, SOL_SOCKET, SO_RCVBUF, &window_bytes, sizeof window_bytes) != 0) {
    return {errno, "setsockopt", 0};
  }
  // Some systems allow this on connected sockets alone; the window is bounded all the same.
  setsockopt(listening_fd, IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, sizeof segment_bytes);
  return {};
}

}  // namespace ebs
