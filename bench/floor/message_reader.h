#ifndef EBS_BENCH_FLOOR_MESSAGE_READER_H_
#define EBS_BENCH_FLOOR_MESSAGE_READER_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "connection.h"

namespace ebs {

// Reads the HTTP/1.1 messages of a connection, requests or answers. Only bodies with a length.
class MessageReader {
 public:
  explicit MessageReader(Connection* connection) : connection_(connection) {}

  // Reads the next head. Returns false at the end of the connection, or when it is too long. The
  // body of the message before must have been read or dropped.
  bool ReadHead();

  // First line and headers, each with its line end. Valid until the next call of ReadHead.
  std::string_view head() const { return {buffer_, head_size_}; }

  // The value of a header, whatever its case, or nothing.
  std::string_view Header(std::string_view name) const;

  // Reads the body behind the head.
  bool ReadBody(std::string* body);

  // Reads the body behind the head into `body`. Returns false also when it is of another length.
  bool ReadBodyInto(std::span<char> body);

  // Waits for the body behind the head, without looking at it. Sets how long it was.
  bool DropBody(size_t* size);

 private:
  size_t BodySize() const;
  // Moves the body's bytes that came with the head out of the buffer, at most `size`.
  std::string_view TakeBuffered(size_t size);

  Connection* const connection_;
  char buffer_[8192];
  size_t head_size_ = 0;
  // Bytes [taken_, filled_) came behind the head, and were not taken yet.
  size_t taken_ = 0;
  size_t filled_ = 0;
};

}  // namespace ebs

#endif  // EBS_BENCH_FLOOR_MESSAGE_READER_H_
