#include "message_reader.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace ebs {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

bool IsHeader(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         strncasecmp(line.data(), name.data(), name.size()) == 0;
}

}  // namespace

bool MessageReader::ReadHead() {
  filled_ -= taken_;
  std::memmove(buffer_, buffer_ + taken_, filled_);
  for (;;) {
    size_t end = std::string_view(buffer_, filled_).find(kHeadEnd);
    if (end != std::string_view::npos) {
      head_size_ = end + kLineEnd.size();
      taken_ = end + kHeadEnd.size();
      return true;
    }
    ssize_t size = connection_->Read({buffer_ + filled_, sizeof buffer_ - filled_});
    if (size <= 0) return false;
    filled_ += static_cast<size_t>(size);
  }
}

std::string_view MessageReader::Header(std::string_view name) const {
  std::string_view rest = head();
  while (!rest.empty()) {
    size_t end = rest.find(kLineEnd);
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + kLineEnd.size());
    if (!IsHeader(line, name)) continue;
    line.remove_prefix(name.size() + 1);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    return line;
  }
  return {};
}

bool MessageReader::ReadBody(std::string* body) {
  size_t size = BodySize();
  *body = TakeBuffered(size);
  size_t filled = body->size();
  body->resize(size);
  while (filled < size) {
    ssize_t more = connection_->Read({body->data() + filled, size - filled});
    if (more <= 0) return false;
    filled += static_cast<size_t>(more);
  }
  return true;
}

bool MessageReader::ReadBodyInto(std::span<char> body) {
  if (BodySize() != body.size()) return false;
  std::string_view buffered = TakeBuffered(body.size());
  std::memcpy(body.data(), buffered.data(), buffered.size());
  for (size_t filled = buffered.size(); filled < body.size();) {
    ssize_t more = connection_->Read(body.subspan(filled));
    if (more <= 0) return false;
    filled += static_cast<size_t>(more);
  }
  return true;
}

bool MessageReader::DropBody(size_t* size) {
  *size = BodySize();
  return connection_->Drop(*size - TakeBuffered(*size).size());
}

size_t MessageReader::BodySize() const {
  std::string_view length = Header("content-length");
  size_t size = 0;
  std::from_chars(length.data(), length.data() + length.size(), size);
  return size;
}

std::string_view MessageReader::TakeBuffered(size_t size) {
  size_t taken = std::min(size, filled_ - taken_);
  std::string_view bytes(buffer_ + taken_, taken);
  taken_ += taken;
  return bytes;
}

}  // namespace ebs
