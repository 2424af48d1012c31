// upload_floor FILE ENDPOINT CONNECTIONS: the least work that any uploader must do. A thread for
// each connection, which takes the next two blocks, reads them past the page cache, scans and
// hashes them with the project's kernels, signs and puts each, and waits for its answer; so a block
// is still in the processor's cache when it is sent, and is copied by the kernel alone. ENDPOINT is
// http://ADDRESS:PORT, or https, whose certificate is not checked. Credentials and region come from
// the environment. Prints one JSON object with figures of bench/contenders/trial.js.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "block_facts.h"
#include "client.h"
#include "signer.h"
#include "sizes.h"
#include "source.h"
#include "usage.h"

namespace ebs {
namespace {

// As many as the kernels hash side by side.
constexpr size_t kTurnBlocks = 2;

constexpr uint64_t kGiB = uint64_t{1} << 30;

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// What the threads share.
struct Job {
  Endpoint endpoint;
  Kernels kernels;
  Signer signer;
  int descriptor;
  SSL_CTX* tls;
  uint64_t block_count = 0;
  uint8_t zero_digest[kDigestSize] = {};
  std::string snapshot_id = {};
  // kDigestSize bytes a block, in index order.
  std::vector<uint8_t> digests = {};
  std::atomic<uint64_t> next_block{0};
};

// Starts the snapshot and returns its id.
std::string Start(const Job& job, Client* client) {
  uint64_t gib = (job.block_count * kBlockSize + kGiB - 1) / kGiB;
  std::string body = "{\"VolumeSize\":" + std::to_string(gib) + "}";
  uint8_t hash[kDigestSize];
  const auto* message = reinterpret_cast<const uint8_t*>(body.data());
  Sha256(*job.kernels.sha256, {&message, 1}, body.size(), hash);
  Header headers[] = {{"content-type", "application/json"}};
  std::string head = job.signer.HeadOf({.method = "POST",
                                        .path = "/snapshots",
                                        .headers = headers,
                                        .payload_hash = ToHex(hash),
                                        .body_size = body.size()});
  std::string_view answer = client->Call(head, body);
  size_t at = answer.find("snap-");
  if (at == std::string_view::npos) Fail("StartSnapshot, without an id");
  return std::string(answer.substr(at, answer.find('"', at) - at));
}

void Put(const Job& job, Client* client, uint64_t index, const uint8_t* block) {
  const uint8_t* digest = job.digests.data() + index * kDigestSize;
  std::string checksum = ToBase64(digest);
  std::string hash = ToHex({digest, kDigestSize});
  std::string path = "/snapshots/" + job.snapshot_id + "/blocks/" + std::to_string(index);
  Header headers[] = {{"content-type", "application/octet-stream"},
                      {"x-amz-checksum", checksum},
                      {"x-amz-checksum-algorithm", "SHA256"},
                      {"x-amz-data-length", "524288"}};
  std::string head = job.signer.HeadOf({.method = "PUT",
                                        .path = path,
                                        .headers = headers,
                                        .payload_hash = hash,
                                        .body_size = kBlockSize});
  client->Call(head, {reinterpret_cast<const char*>(block), kBlockSize});
}

void Complete(const Job& job, Client* client) {
  uint8_t aggregate[kDigestSize];
  uint8_t nothing[kDigestSize];
  const uint8_t* message = job.digests.data();
  Sha256(*job.kernels.sha256, {&message, 1}, job.digests.size(), aggregate);
  Sha256(*job.kernels.sha256, {&message, 1}, 0, nothing);
  std::string count = std::to_string(job.block_count);
  std::string checksum = ToBase64(aggregate);
  Header headers[] = {{"x-amz-changedblockscount", count},
                      {"x-amz-checksum", checksum},
                      {"x-amz-checksum-aggregation-method", "LINEAR"},
                      {"x-amz-checksum-algorithm", "SHA256"}};
  std::string head = job.signer.HeadOf({.method = "POST",
                                        .path = "/snapshots/completion/" + job.snapshot_id,
                                        .headers = headers,
                                        .payload_hash = ToHex(nothing),
                                        .body_size = 0});
  client->Call(head, {});
}

// Reads, inspects and puts the blocks [first, first + count).
void Upload(Job* job, Client* client, uint64_t first, size_t count, uint8_t* buffer) {
  size_t size = count * kBlockSize;
  ssize_t read = pread(job->descriptor, buffer, size, static_cast<off_t>(first * kBlockSize));
  if (read != static_cast<ssize_t>(size)) Fail("pread");
  const uint8_t* blocks[kTurnBlocks];
  BlockFacts facts[kTurnBlocks];
  for (size_t i = 0; i < count; i++) blocks[i] = buffer + i * kBlockSize;
  InspectBlocks(job->kernels, {blocks, count}, facts);
  for (size_t i = 0; i < count; i++) {
    const uint8_t* digest = facts[i].is_zero ? job->zero_digest : facts[i].digest;
    std::memcpy(job->digests.data() + (first + i) * kDigestSize, digest, kDigestSize);
    Put(*job, client, first + i, blocks[i]);
  }
}

void UploadUntilEnd(Job* job) {
  Client client(job->endpoint, job->tls);
  auto* buffer = static_cast<uint8_t*>(aligned_alloc(kPageSize, kTurnBlocks * kBlockSize));
  for (;;) {
    uint64_t first = job->next_block.fetch_add(kTurnBlocks);
    if (first >= job->block_count) break;
    size_t count = std::min<uint64_t>(kTurnBlocks, job->block_count - first);
    Upload(job, &client, first, count, buffer);
  }
  free(buffer);
}

int Main(int argument_count, char** arguments) {
  if (argument_count != 4) {
    std::fprintf(stderr, "usage: upload_floor FILE ENDPOINT CONNECTIONS\n");
    return 2;
  }
  Usage usage;
  Endpoint endpoint = ParseEndpoint(arguments[2]);
  Job job{.endpoint = endpoint,
          .kernels = FastestKernels(),
          .signer = Signer(IdentityFor(endpoint.host)),
          .descriptor = OpenPastCache(arguments[1]),
          .tls = SSL_CTX_new(TLS_client_method())};
  if (job.descriptor < 0) Fail(arguments[1]);
  job.block_count = static_cast<uint64_t>(lseek(job.descriptor, 0, SEEK_END)) / kBlockSize;
  job.digests.resize(job.block_count * kDigestSize);
  HashZeroBlock(job.kernels, job.zero_digest);

  Client client(job.endpoint, job.tls);
  job.snapshot_id = Start(job, &client);
  std::vector<std::thread> threads;
  for (int i = std::atoi(arguments[3]); i > 0; i--) threads.emplace_back(UploadUntilEnd, &job);
  for (std::thread& thread : threads) thread.join();
  Complete(job, &client);

  std::printf("{");
  usage.Print();
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace ebs

int main(int argument_count, char** arguments) { return ebs::Main(argument_count, arguments); }
