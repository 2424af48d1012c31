#include "client.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace ebs {
namespace {

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

[[noreturn]] void Refuse(const char* what, std::string_view why) {
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(why.size()), why.data());
  std::exit(1);
}

}  // namespace

Endpoint ParseEndpoint(std::string_view url) {
  Endpoint endpoint = {.is_encrypted = url.starts_with("https:"), .host = {}, .address = {}};
  url.remove_prefix(std::min(url.find("//") + 2, url.size()));
  endpoint.host = url;
  size_t colon = url.find(':');
  if (colon == std::string_view::npos) Refuse("endpoint", "it has no port");
  std::string host(url.substr(0, colon));
  std::string port(url.substr(colon + 1));
  endpoint.address.sin_family = AF_INET;
  endpoint.address.sin_port = htons(static_cast<uint16_t>(std::atoi(port.c_str())));
  if (inet_pton(AF_INET, host.c_str(), &endpoint.address.sin_addr) != 1) {
    Refuse("endpoint", "its host is no IPv4 address");
  }
  return endpoint;
}

Client::Client(const Endpoint& endpoint, SSL_CTX* tls) {
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
  if (connect(descriptor, address, sizeof endpoint.address) != 0) Fail("connect");
  connection_ = std::make_unique<Connection>(descriptor);
  answer_ = std::make_unique<MessageReader>(connection_.get());
  if (endpoint.is_encrypted && !connection_->StartTls(tls)) Refuse("TLS", "no handshake");
}

std::string_view Client::Call(std::string_view head, std::string_view body) {
  if (!connection_->Write(head, body)) Fail("send");
  if (!answer_->ReadHead() || !answer_->ReadBody(&body_)) Refuse("answer", "cut short");
  if (!answer_->head().starts_with("HTTP/1.1 2")) {
    Refuse("answer", std::string(answer_->head()) + body_);
  }
  return body_;
}

std::string_view Client::CallInto(std::string_view head, std::span<char> body,
                                  std::string_view name) {
  if (!connection_->Write(head, {})) Fail("send");
  if (!answer_->ReadHead()) Refuse("answer", "cut short");
  if (!answer_->head().starts_with("HTTP/1.1 200")) Refuse("answer", answer_->head());
  if (!answer_->ReadBodyInto(body)) Refuse("answer", "cut short, or of another length");
  return answer_->Header(name);
}

}  // namespace ebs
