#ifndef EBS_BENCH_FLOOR_CLIENT_H_
#define EBS_BENCH_FLOOR_CLIENT_H_

#include <netinet/in.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "connection.h"
#include "message_reader.h"

namespace ebs {

// Where a service listens.
struct Endpoint {
  bool is_encrypted;
  // Address and port, as in the header `Host`.
  std::string host;
  sockaddr_in address;
};

// Reads http://ADDRESS:PORT, or https; ends the program when it is something else.
Endpoint ParseEndpoint(std::string_view url);

// One kept-alive connection to a service. Whatever fails ends the program, with a word on why. One
// thread at a time.
class Client {
 public:
  // `tls` is for clients; not used where the endpoint is plain.
  Client(const Endpoint& endpoint, SSL_CTX* tls);

  // Sends a request and returns the body of its answer, which must be a success. Valid until the
  // next call.
  std::string_view Call(std::string_view head, std::string_view body);

  // Sends a request without body. Reads the body of its answer, which must be a success and fill
  // `body`, and returns the answer's header `name`. Valid until the next call.
  std::string_view CallInto(std::string_view head, std::span<char> body, std::string_view name);

 private:
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<MessageReader> answer_;
  std::string body_;
};

}  // namespace ebs

#endif  // EBS_BENCH_FLOOR_CLIENT_H_
