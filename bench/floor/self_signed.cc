#include "self_signed.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>

namespace ebs {
namespace {

constexpr long kDaySeconds = 24 * 60 * 60;

// What one recv may bring, many records, so that there are few.
constexpr size_t kReadAheadSize = 131072;

bool AddExtension(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  bool is_added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return is_added;
}

bool SetName(X509* certificate) {
  X509_NAME* name = X509_get_subject_name(certificate);
  auto* text = reinterpret_cast<const unsigned char*>("127.0.0.1");
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, name) == 1;
}

bool Fill(X509* certificate, EVP_PKEY* key) {
  // Version 3, counted from 0.
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kDaySeconds);
  return X509_set_pubkey(certificate, key) == 1 && SetName(certificate) &&
         AddExtension(certificate, NID_subject_alt_name, "IP:127.0.0.1") &&
         AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

bool Save(X509* certificate, const char* path) {
  FILE* file = std::fopen(path, "w");
  if (file == nullptr) return false;
  bool is_written = PEM_write_X509(file, certificate) == 1;
  return std::fclose(file) == 0 && is_written;
}

}  // namespace

SSL_CTX* NewSelfSignedContext(const char* path) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAheadSize);
  bool is_made = Fill(certificate, key) && Save(certificate, path) &&
                 SSL_CTX_use_certificate(context, certificate) == 1 &&
                 SSL_CTX_use_PrivateKey(context, key) == 1;
  // The context keeps references of its own.
  X509_free(certificate);
  EVP_PKEY_free(key);
  if (is_made) return context;
  SSL_CTX_free(context);
  return nullptr;
}

}  // namespace ebs
