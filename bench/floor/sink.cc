// sink [CERTIFICATE]: the least work that any service must do, so that a benchmark of clients shows
// the clients. Answers StartSnapshot, PutSnapshotBlock, CompleteSnapshot and ListSnapshotBlocks as
// the service does when all is well; checks no signature and no digest, and throws the blocks away.
// A snapshot snap-0d and 15 hexadecimal digits is there to be read: a volume of so many GiB, all of
// it data. Block i is filled with the byte i % 61 + 1. With CERTIFICATE it speaks TLS, and writes a
// certificate to trust there. Prints its address. GET /tally tells what came, as one JSON object.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "connection.h"
#include "message_reader.h"
#include "self_signed.h"
#include "usage.h"

namespace ebs {
namespace {

constexpr int kBacklog = 1024;
constexpr size_t kBlockSize = 524288;
constexpr uint64_t kBlocksPerGiB = 2048;
constexpr uint64_t kPageEntries = 10000;
constexpr size_t kDistinctBlocks = 61;
constexpr std::string_view kReadable = "GET /snapshots/snap-0d";

// What clients have sent so far.
struct Tally {
  const Usage usage;
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> starts{0};
  std::atomic<uint64_t> puts{0};
  std::atomic<uint64_t> put_bytes{0};
  std::atomic<uint64_t> gets{0};
  std::mutex mutex;
  // Guarded by the mutex: the volume of the last start, in GiB, and what the last completion said.
  std::string volume_size = "1";
  std::string changed_blocks_count = "0";
  std::string checksum;
};

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// An answer, as far as it depends on the request.
struct Answer {
  std::string_view status;
  // Lines with their ends.
  std::string headers;
  std::string body = "{}";
};

bool Write(Connection* connection, const Answer& answer) {
  std::string head = "HTTP/1.1 ";
  head.append(answer.status)
      .append("\r\nContent-Type: application/json\r\n")
      .append("x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n")
      .append(answer.headers)
      .append("Content-Length: ")
      .append(std::to_string(answer.body.size()))
      .append("\r\n\r\n");
  return connection->Write(head, answer.body);
}

// The digits behind a name in a JSON text.
std::string NumberIn(std::string_view json, std::string_view name) {
  size_t at = json.find(name);
  if (at == std::string_view::npos) return "1";
  at = json.find_first_of("0123456789", at + name.size());
  size_t end = json.find_first_not_of("0123456789", at);
  return std::string(json.substr(at, end - at));
}

Answer Start(Tally* tally, std::string_view body) {
  std::lock_guard lock(tally->mutex);
  tally->starts++;
  tally->volume_size = NumberIn(body, "\"VolumeSize\"");
  return {.status = "201 Created",
          .headers = {},
          .body =
              "{\"BlockSize\":524288,\"OwnerId\":\"111122223333\",\"StartTime\":1800000000.0,"
              "\"SnapshotId\":\"snap-0a1b2c3d4e5f60718\",\"Status\":\"pending\","
              "\"VolumeSize\":" +
              tally->volume_size + "}"};
}

Answer Complete(Tally* tally, const MessageReader& request) {
  std::lock_guard lock(tally->mutex);
  tally->changed_blocks_count = request.Header("x-amz-ChangedBlocksCount");
  tally->checksum = request.Header("x-amz-Checksum");
  return {.status = "202 Accepted", .headers = {}, .body = "{\"Status\":\"completed\"}"};
}

Answer List(Tally* tally) {
  std::lock_guard lock(tally->mutex);
  return {.status = "200 OK",
          .headers = {},
          .body =
              "{\"BlockSize\":524288,\"Blocks\":[],\"ExpiryTime\":1800000000.0,"
              "\"VolumeSize\":" +
              tally->volume_size + "}"};
}

Answer Tell(Tally* tally) {
  std::lock_guard lock(tally->mutex);
  return {.status = "200 OK",
          .headers = {},
          .body = "{\"connections\":" + std::to_string(tally->connections) + ",\"starts\":" +
                  std::to_string(tally->starts) + ",\"puts\":" + std::to_string(tally->puts) +
                  ",\"gets\":" + std::to_string(tally->gets) +
                  ",\"putBytes\":" + std::to_string(tally->put_bytes) + ",\"changedBlocksCount\":" +
                  tally->changed_blocks_count + ",\"checksum\":\"" + tally->checksum +
                  "\",\"cpuSeconds\":" + std::to_string(tally->usage.CpuSeconds()) + "}"};
}

// The number behind a name in a request line, or 0.
uint64_t ParameterIn(std::string_view line, std::string_view name) {
  size_t at = line.find(name);
  return at == std::string_view::npos ? 0
                                      : std::strtoull(line.data() + at + name.size(), nullptr, 10);
}

// One page of a snapshot that is there to be read.
Answer ListReadable(std::string_view line) {
  uint64_t gib = std::strtoull(std::string(line.substr(kReadable.size(), 15)).c_str(), nullptr, 16);
  uint64_t first = ParameterIn(line, "pageToken=");
  if (first == 0) first = ParameterIn(line, "startingBlockIndex=");
  uint64_t end = std::min(first + kPageEntries, gib * kBlocksPerGiB);
  std::string blocks;
  for (uint64_t i = first; i < end; i++) {
    if (i > first) blocks += ",";
    // As long as those of the service.
    blocks += "{\"BlockIndex\":" + std::to_string(i) + ",\"BlockToken\":\"AlMB" +
              std::string(91, 'x') + "\"}";
  }
  std::string token = end < gib * kBlocksPerGiB ? "\"" + std::to_string(end) + "\"" : "null";
  return {.status = "200 OK",
          .headers = {},
          .body = "{\"BlockSize\":524288,\"Blocks\":[" + blocks +
                  "],\"ExpiryTime\":1800000000.0,\"NextToken\":" + token +
                  ",\"VolumeSize\":" + std::to_string(gib) + "}"};
}

// A block as it is served: its head, and its bytes.
struct ServedBlock {
  explicit ServedBlock(char byte) : bytes(kBlockSize, byte) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char checksum[2 * EVP_MAX_MD_SIZE];
    unsigned size;
    EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
    EVP_EncodeBlock(checksum, digest, static_cast<int>(size));
    head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
        "x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n"
        "x-amz-Data-Length: 524288\r\nx-amz-Checksum-Algorithm: SHA256\r\nx-amz-Checksum: ";
    head.append(reinterpret_cast<char*>(checksum)).append("\r\nContent-Length: 524288\r\n\r\n");
  }

  std::vector<char> bytes;
  std::string head;
};

const ServedBlock& BlockAt(uint64_t index) {
  static const std::vector<ServedBlock> blocks = [] {
    std::vector<ServedBlock> made;
    for (size_t i = 0; i < kDistinctBlocks; i++) made.emplace_back(static_cast<char>(i + 1));
    return made;
  }();
  return blocks[index % kDistinctBlocks];
}

// Whether the request is for a block; sets which.
bool IsGet(std::string_view line, uint64_t* index) {
  if (!line.starts_with(kReadable)) return false;
  constexpr std::string_view kBlocks = "/blocks/";
  size_t at = line.find(kBlocks);
  if (at == std::string_view::npos) return false;
  *index = std::strtoull(line.data() + at + kBlocks.size(), nullptr, 10);
  return true;
}

// Takes a block, and repeats its checksum as the service does.
bool ServePut(Tally* tally, Connection* connection, MessageReader* request) {
  size_t size;
  if (!request->DropBody(&size)) return false;
  tally->puts++;
  tally->put_bytes += size;
  std::string headers = "x-amz-Checksum-Algorithm: SHA256\r\nx-amz-Checksum: ";
  headers.append(request->Header("x-amz-Checksum")).append("\r\n");
  return Write(connection, {.status = "201 Created", .headers = std::move(headers)});
}

Answer AnswerTo(Tally* tally, const MessageReader& request, std::string_view body) {
  std::string_view head = request.head();
  if (head.starts_with("POST /snapshots/completion/")) return Complete(tally, request);
  if (head.starts_with("POST /snapshots ")) return Start(tally, body);
  if (head.starts_with(kReadable)) return ListReadable(head.substr(0, head.find('\r')));
  if (head.starts_with("GET /snapshots/")) return List(tally);
  if (head.starts_with("GET /tally ")) return Tell(tally);
  return {.status = "404 Not Found", .headers = {}};
}

void Serve(Tally* tally, SSL_CTX* tls, int socket) {
  Connection connection(socket);
  tally->connections++;
  if (tls != nullptr && !connection.StartTls(tls)) return;
  MessageReader request(&connection);
  std::string body;
  while (request.ReadHead()) {
    bool is_put = request.head().starts_with("PUT ");
    if (is_put && !ServePut(tally, &connection, &request)) return;
    if (is_put) continue;
    uint64_t index;
    if (IsGet(request.head(), &index)) {
      tally->gets++;
      const ServedBlock& block = BlockAt(index);
      if (!connection.Write(block.head, block.bytes)) return;
      continue;
    }
    if (!request.ReadBody(&body) || !Write(&connection, AnswerTo(tally, request, body))) return;
  }
}

// Listens on a free port of 127.0.0.1, and sets which.
int Listen(uint16_t* port) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  socklen_t size = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, size) != 0 || listen(listener, kBacklog) != 0) Fail("listen");
  getsockname(listener, generic, &size);
  *port = ntohs(address.sin_port);
  return listener;
}

int Main(int argument_count, char** arguments) {
  // Nobody needs the sink of a benchmark that was killed.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  signal(SIGPIPE, SIG_IGN);
  SSL_CTX* tls = nullptr;
  if (argument_count > 1) {
    tls = NewSelfSignedContext(arguments[1]);
    if (tls == nullptr) Fail(arguments[1]);
  }
  uint16_t port;
  int listener = Listen(&port);
  std::printf("listening on %s://127.0.0.1:%u\n", tls != nullptr ? "https" : "http", port);
  std::fflush(stdout);
  Tally tally;
  for (;;) {
    int socket = accept(listener, nullptr, nullptr);
    // One thread a connection: it waits in the kernel for its client, and costs nothing meanwhile.
    if (socket >= 0) std::thread(Serve, &tally, tls, socket).detach();
  }
}

}  // namespace
}  // namespace ebs

int main(int argument_count, char** arguments) { return ebs::Main(argument_count, arguments); }
