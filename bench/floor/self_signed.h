#ifndef EBS_BENCH_FLOOR_SELF_SIGNED_H_
#define EBS_BENCH_FLOOR_SELF_SIGNED_H_

#include <openssl/ssl.h>

namespace ebs {

// Makes a server's TLS context with a new key, and a certificate for 127.0.0.1 that it signs itself
// and writes to `path` in PEM, for clients to trust. Returns null when any of it fails.
SSL_CTX* NewSelfSignedContext(const char* path);

}  // namespace ebs

#endif  // EBS_BENCH_FLOOR_SELF_SIGNED_H_
