#ifndef EBS_BENCH_FLOOR_SIGNER_H_
#define EBS_BENCH_FLOOR_SIGNER_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ebs {

// Who signs, where the signature holds, and the service's address as in the header `Host`.
struct SigningIdentity {
  std::string access_key_id;
  std::string secret_access_key;
  std::string region;
  std::string host;
};

struct Header {
  std::string_view name;
  std::string_view value;
};

// A request without query.
struct Request {
  std::string_view method;
  std::string_view path;
  // Beside host, date and length: lower-case names in any order, all to be signed.
  std::span<const Header> headers;
  // Hexadecimal SHA-256 of the body.
  std::string_view payload_hash;
  size_t body_size;
};

// Writes the heads of requests with AWS Signature Version 4 (IAM user guide, "Create a signed AWS
// API request"). All bear the moment at which the signer was made, since a run is shorter than the
// minutes for which a signature holds. Any thread.
class Signer {
 public:
  explicit Signer(const SigningIdentity& identity);

  std::string HeadOf(const Request& request) const;

 private:
  const std::string host_;
  std::string date_time_;
  std::string scope_;
  std::string credential_;
  std::array<uint8_t, 32> key_;
};

// Whom the environment names, by the AWS SDK's variables.
SigningIdentity IdentityFor(std::string_view host);

std::string ToHex(std::span<const uint8_t> bytes);

// Of a digest of 32 bytes, as the service's headers have it.
std::string ToBase64(const uint8_t* digest);

}  // namespace ebs

#endif  // EBS_BENCH_FLOOR_SIGNER_H_
