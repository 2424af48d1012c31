#include "nist_vectors.h"

#include <fstream>
#include <stdexcept>
#include <utility>

namespace ebs {
namespace {

using Field = std::pair<std::string, std::string>;

// The lines "name = value", in order; the rest is comment.
std::vector<Field> ReadFields(const std::string& file_name) {
  std::ifstream file(std::string(EBS_TEST_VECTORS) + "/" + file_name);
  if (!file) throw std::runtime_error("cannot read " + file_name);
  std::vector<Field> fields;
  for (std::string line; std::getline(file, line);) {
    size_t equals = line.find(" = ");
    if (equals == std::string::npos || line[0] == '[') continue;
    fields.emplace_back(line.substr(0, equals), line.substr(equals + 3));
  }
  return fields;
}

}  // namespace

std::vector<NistVector> ReadMessageVectors(const std::string& file_name) {
  std::vector<NistVector> vectors;
  size_t size = 0;
  for (const auto& [name, value] : ReadFields(file_name)) {
    if (name == "Len") size = std::stoul(value) / 8;
    if (name == "Msg") {
      vectors.push_back({.message = BytesFromHex(value), .digest = ""});
      // The empty message is written as one zero byte.
      vectors.back().message.resize(size);
    }
    if (name == "MD") vectors.back().digest = value;
  }
  return vectors;
}

NistMonteCarlo ReadMonteCarlo(const std::string& file_name) {
  NistMonteCarlo result;
  for (const auto& [name, value] : ReadFields(file_name)) {
    if (name == "Seed") result.seed = BytesFromHex(value);
    if (name == "MD") result.digests.push_back(value);
  }
  return result;
}

std::vector<uint8_t> BytesFromHex(const std::string& hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string ToHex(const uint8_t* bytes, size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (size_t i = 0; i < size; i++) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 15];
  }
  return hex;
}

}  // namespace ebs
