#ifndef EBS_BENCH_FLOOR_CONNECTION_H_
#define EBS_BENCH_FLOOR_CONNECTION_H_

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstddef>
#include <span>

namespace ebs {

// A connected socket that blocks, plain or with TLS. One thread at a time.
class Connection {
 public:
  // Takes `socket` over.
  explicit Connection(int socket);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Shakes hands, as the side that `context` was made for.
  bool StartTls(SSL_CTX* context);

  // Waits for some bytes. Returns how many came, 0 or less at the end.
  ssize_t Read(std::span<char> bytes);

  // Waits for `size` bytes and throws them away; without TLS the kernel does not even copy them.
  bool Drop(size_t size);

  // Writes both; without TLS in one system call, and with no copy on this side of the kernel.
  bool Write(std::span<const char> head, std::span<const char> body);

 private:
  bool WriteTls(std::span<const char> bytes);

  const int socket_;
  SSL* tls_ = nullptr;
};

}  // namespace ebs

#endif  // EBS_BENCH_FLOOR_CONNECTION_H_
