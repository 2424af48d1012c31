#include "connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

namespace ebs {
namespace {

// The plain text of one TLS record (RFC 8446 section 5.1); more never comes out of one SSL_read.
constexpr size_t kRecordSize = 16384;

// What one system call writes at most, in place of one call for each record. Measured on 1 GiB: a
// seventh less processor time, for a copy within the cache.
constexpr long kWriteBufferSize = 65536;

// Takes `size` bytes off the front of `pieces`.
void Advance(std::span<iovec>* pieces, size_t size) {
  while (!pieces->empty() && size >= pieces->front().iov_len) {
    size -= pieces->front().iov_len;
    *pieces = pieces->subspan(1);
  }
  if (pieces->empty()) return;
  iovec& first = pieces->front();
  first.iov_base = static_cast<char*>(first.iov_base) + size;
  first.iov_len -= size;
}

iovec PieceOf(std::span<const char> bytes) {
  return {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace

Connection::Connection(int socket) : socket_(socket) {
  int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

Connection::~Connection() {
  SSL_free(tls_);
  close(socket_);
}

bool Connection::StartTls(SSL_CTX* context) {
  tls_ = SSL_new(context);
  SSL_set_fd(tls_, socket_);
  BIO* buffer = BIO_new(BIO_f_buffer());
  BIO_set_write_buffer_size(buffer, kWriteBufferSize);
  SSL_set0_wbio(tls_, BIO_push(buffer, BIO_new_socket(socket_, BIO_NOCLOSE)));
  return (SSL_is_server(tls_) ? SSL_accept(tls_) : SSL_connect(tls_)) == 1;
}

ssize_t Connection::Read(std::span<char> bytes) {
  if (tls_ != nullptr) return SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()));
  return recv(socket_, bytes.data(), bytes.size(), 0);
}

bool Connection::Drop(size_t size) {
  char record[kRecordSize];
  while (size > 0) {
    // With MSG_TRUNC nothing is stored: tcp(7).
    ssize_t dropped = tls_ != nullptr ? Read({record, std::min(size, kRecordSize)})
                                      : recv(socket_, nullptr, size, MSG_TRUNC | MSG_WAITALL);
    if (dropped <= 0) return false;
    size -= static_cast<size_t>(dropped);
  }
  return true;
}

bool Connection::Write(std::span<const char> head, std::span<const char> body) {
  if (tls_ != nullptr) {
    return WriteTls(head) && WriteTls(body) && BIO_flush(SSL_get_wbio(tls_)) == 1;
  }
  iovec pieces[] = {PieceOf(head), PieceOf(body)};
  std::span<iovec> left = pieces;
  while (!left.empty()) {
    msghdr message = {};
    message.msg_iov = left.data();
    message.msg_iovlen = left.size();
    ssize_t size = sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (size < 0) return false;
    Advance(&left, static_cast<size_t>(size));
  }
  return true;
}

bool Connection::WriteTls(std::span<const char> bytes) {
  // Without partial writes, which are off, SSL_write takes all or fails.
  return bytes.empty() || SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

}  // namespace ebs
