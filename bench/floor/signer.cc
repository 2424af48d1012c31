#include "signer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <vector>

namespace ebs {
namespace {

using Digest = std::array<uint8_t, 32>;

std::span<const uint8_t> BytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Digest Hmac(std::span<const uint8_t> key, std::string_view text) {
  Digest digest;
  std::span<const uint8_t> bytes = BytesOf(text);
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(),
       digest.data(), nullptr);
  return digest;
}

std::string HexDigestOf(std::string_view text) {
  Digest digest;
  SHA256(BytesOf(text).data(), text.size(), digest.data());
  return ToHex(digest);
}

// `yyyymmddThhmmssZ`.
std::string DateTimeNow() {
  time_t now = std::time(nullptr);
  tm parts;
  gmtime_r(&now, &parts);
  char text[sizeof "yyyymmddThhmmssZ"];
  size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return {text, size};
}

std::string Environment(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : fallback;
}

void Append(std::string* text, std::initializer_list<std::string_view> pieces) {
  for (std::string_view piece : pieces) text->append(piece);
}

}  // namespace

SigningIdentity IdentityFor(std::string_view host) {
  return {.access_key_id = Environment("AWS_ACCESS_KEY_ID", "bench"),
          .secret_access_key = Environment("AWS_SECRET_ACCESS_KEY", "bench"),
          .region = Environment("AWS_REGION", "us-east-1"),
          .host = std::string(host)};
}

std::string ToHex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string ToBase64(const uint8_t* digest) {
  constexpr size_t kSize = std::tuple_size_v<Digest>;
  // Four characters for each three bytes, and a zero behind them: EVP_EncodeBlock(3).
  unsigned char text[4 * ((kSize + 2) / 3) + 1];
  int size = EVP_EncodeBlock(text, digest, kSize);
  return {reinterpret_cast<char*>(text), static_cast<size_t>(size)};
}

Signer::Signer(const SigningIdentity& identity) : host_(identity.host), date_time_(DateTimeNow()) {
  std::string day = date_time_.substr(0, 8);
  scope_ = day + "/" + identity.region + "/ebs/aws4_request";
  credential_ = identity.access_key_id + "/" + scope_;
  key_ = Hmac(BytesOf("AWS4" + identity.secret_access_key), day);
  for (std::string_view part : {std::string_view(identity.region), std::string_view("ebs"),
                                std::string_view("aws4_request")}) {
    key_ = Hmac(key_, part);
  }
}

std::string Signer::HeadOf(const Request& request) const {
  std::vector<Header> headers(request.headers.begin(), request.headers.end());
  headers.push_back({"host", host_});
  headers.push_back({"x-amz-content-sha256", request.payload_hash});
  headers.push_back({"x-amz-date", date_time_});
  std::ranges::sort(headers, {}, &Header::name);
  std::string lines;
  std::string signed_lines;
  std::string names;
  for (const auto& [name, value] : headers) {
    Append(&lines, {name, ": ", value, "\r\n"});
    Append(&signed_lines, {name, ":", value, "\n"});
    Append(&names, {names.empty() ? "" : ";", name});
  }

  std::string canonical;
  Append(&canonical, {request.method, "\n", request.path, "\n\n", signed_lines, "\n", names, "\n",
                      request.payload_hash});
  std::string to_sign;
  Append(&to_sign, {"AWS4-HMAC-SHA256\n", date_time_, "\n", scope_, "\n", HexDigestOf(canonical)});
  std::string signature = ToHex(Hmac(key_, to_sign));
  std::string head;
  Append(&head, {request.method, " ", request.path, " HTTP/1.1\r\n", lines,
                 "authorization: AWS4-HMAC-SHA256 Credential=", credential_,
                 ", SignedHeaders=", names, ", Signature=", signature,
                 "\r\ncontent-length: ", std::to_string(request.body_size), "\r\n\r\n"});
  return head;
}

}  // namespace ebs
