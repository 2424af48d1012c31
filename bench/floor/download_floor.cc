// download_floor FILE ENDPOINT CONNECTIONS SNAPSHOT BLOCKS: the least work that any restore must
// do. A thread for each connection, which takes the next block, gets it, hashes it with the
// project's kernel, compares the digest with the one that came with it, and writes it past the page
// cache; so a block is still in the processor's cache when it is hashed. The file is synced at the
// end, as ours is. With "-" for FILE nothing is written. ENDPOINT is http://ADDRESS:PORT, or https,
// whose certificate is not checked. Credentials and region come from the environment. Prints one
// JSON object with figures of bench/contenders/trial.js.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "client.h"
#include "signer.h"
#include "sizes.h"
#include "source.h"
#include "usage.h"

namespace ebs {
namespace {

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// What the threads share.
struct Job {
  Endpoint endpoint;
  Kernels kernels;
  Signer signer;
  // -1 for none.
  int descriptor;
  SSL_CTX* tls;
  std::string snapshot_id;
  uint64_t block_count;
  std::atomic<uint64_t> next_block{0};
};

void Download(const Job& job, Client* client, uint64_t index, uint8_t* buffer) {
  // SHA-256 of nothing.
  constexpr std::string_view kEmptyHash =
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  std::string path = "/snapshots/" + job.snapshot_id + "/blocks/" + std::to_string(index);
  std::string head = job.signer.HeadOf(
      {.method = "GET", .path = path, .headers = {}, .payload_hash = kEmptyHash, .body_size = 0});
  std::string_view checksum =
      client->CallInto(head, {reinterpret_cast<char*>(buffer), kBlockSize}, "x-amz-checksum");
  uint8_t digest[kDigestSize];
  const uint8_t* message = buffer;
  Sha256(*job.kernels.sha256, {&message, 1}, kBlockSize, digest);
  if (checksum != ToBase64(digest)) Fail("the digest differs");
  if (job.descriptor < 0) return;
  off_t offset = static_cast<off_t>(index * kBlockSize);
  if (pwrite(job.descriptor, buffer, kBlockSize, offset) != kBlockSize) Fail("pwrite");
}

void DownloadUntilEnd(Job* job) {
  Client client(job->endpoint, job->tls);
  auto* buffer = static_cast<uint8_t*>(aligned_alloc(kPageSize, kBlockSize));
  for (;;) {
    uint64_t index = job->next_block++;
    if (index >= job->block_count) break;
    Download(*job, &client, index, buffer);
  }
  free(buffer);
}

int OpenTarget(const char* path, uint64_t size) {
  if (std::strcmp(path, "-") == 0) return -1;
  int descriptor = open(path, O_WRONLY | O_CREAT | O_DIRECT, 0600);
  if (descriptor < 0 && errno == EINVAL) descriptor = open(path, O_WRONLY | O_CREAT, 0600);
  if (descriptor < 0 || ftruncate(descriptor, static_cast<off_t>(size)) != 0) Fail(path);
  return descriptor;
}

int Main(int argument_count, char** arguments) {
  if (argument_count != 6) {
    std::fprintf(stderr, "usage: download_floor FILE ENDPOINT CONNECTIONS SNAPSHOT BLOCKS\n");
    return 2;
  }
  Usage usage;
  Endpoint endpoint = ParseEndpoint(arguments[2]);
  uint64_t block_count = std::strtoull(arguments[5], nullptr, 10);
  Job job{.endpoint = endpoint,
          .kernels = FastestKernels(),
          .signer = Signer(IdentityFor(endpoint.host)),
          .descriptor = OpenTarget(arguments[1], block_count * kBlockSize),
          .tls = SSL_CTX_new(TLS_client_method()),
          .snapshot_id = arguments[4],
          .block_count = block_count};
  std::vector<std::thread> threads;
  for (int i = std::atoi(arguments[3]); i > 0; i--) threads.emplace_back(DownloadUntilEnd, &job);
  for (std::thread& thread : threads) thread.join();
  if (job.descriptor >= 0 && fsync(job.descriptor) != 0) Fail("fsync");

  std::printf("{");
  usage.Print();
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace ebs

int main(int argument_count, char** arguments) { return ebs::Main(argument_count, arguments); }
