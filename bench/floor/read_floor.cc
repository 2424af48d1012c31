// read_floor FILE THREADS [READS]: the least work that any reader of blocks must do. Threads that
// take the next run of blocks, read it past the page cache, scan and hash it with the project's
// kernels, and nothing else: no order, no buffers that anyone keeps, no JavaScript. With READS,
// each thread keeps so many reads under way through an io_uring of its own. Prints one JSON object
// with the figures of bench/contenders/trial.js.
#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "block_facts.h"
#include "ring.h"
#include "sizes.h"
#include "source.h"
#include "usage.h"

namespace ebs {
namespace {

// Neighbouring blocks that one read covers.
struct Run {
  uint64_t first_block;
  size_t block_count;
};

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// Cuts [first, end) into runs.
void AddRuns(uint64_t first, uint64_t end, std::vector<Run>* runs) {
  for (uint64_t block = first; block < end; block += kRunBlocksMax) {
    runs->push_back({block, std::min<size_t>(kRunBlocksMax, end - block)});
  }
}

// What has to be read: all of a device, what a file has allocated.
std::vector<Run> FindRuns(int descriptor, uint64_t block_count) {
  std::vector<Run> runs;
  uint64_t next_block = 0;
  while (next_block < block_count) {
    off_t data = lseek(descriptor, static_cast<off_t>(next_block * kBlockSize), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    off_t hole = data < 0 ? -1 : lseek(descriptor, data, SEEK_HOLE);
    if (hole < 0) {
      AddRuns(next_block, block_count, &runs);
      break;
    }
    uint64_t first = std::max(next_block, static_cast<uint64_t>(data) / kBlockSize);
    uint64_t end = (static_cast<uint64_t>(hole) + kBlockSize - 1) / kBlockSize;
    next_block = std::min(end, block_count);
    AddRuns(first, next_block, &runs);
  }
  return runs;
}

// What the threads share.
struct Job {
  int descriptor;
  Kernels kernels;
  std::vector<Run> runs;
  // kDigestSize bytes a block, in index order; those of zero blocks are there from the start.
  std::vector<uint8_t> digests;
  std::atomic<size_t> next_run{0};
};

uint8_t* NewBuffer() {
  return static_cast<uint8_t*>(aligned_alloc(kPageSize, kRunBlocksMax * kBlockSize));
}

size_t SizeOf(const Run& run) { return run.block_count * kBlockSize; }

off_t OffsetOf(const Run& run) { return static_cast<off_t>(run.first_block * kBlockSize); }

void InspectRun(Job* job, const Run& run, const uint8_t* buffer) {
  const uint8_t* blocks[kRunBlocksMax];
  BlockFacts facts[kRunBlocksMax];
  for (size_t k = 0; k < run.block_count; k++) blocks[k] = buffer + k * kBlockSize;
  InspectBlocks(job->kernels, {blocks, run.block_count}, facts);
  for (size_t k = 0; k < run.block_count; k++) {
    if (facts[k].is_zero) continue;
    uint8_t* digest = job->digests.data() + (run.first_block + k) * kDigestSize;
    std::memcpy(digest, facts[k].digest, kDigestSize);
  }
}

void ReadRuns(Job* job) {
  uint8_t* buffer = NewBuffer();
  for (size_t i = job->next_run++; i < job->runs.size(); i = job->next_run++) {
    const Run& run = job->runs[i];
    ssize_t size = pread(job->descriptor, buffer, SizeOf(run), OffsetOf(run));
    if (size != static_cast<ssize_t>(SizeOf(run))) Fail("pread");
    InspectRun(job, run, buffer);
  }
  free(buffer);
}

// A read under way: its run, and where it goes.
struct Read {
  size_t run_index;
  uint8_t* buffer = NewBuffer();
};

void ReadRunsByRing(Job* job, size_t read_count) {
  Ring ring;
  if (!ring.Open(static_cast<unsigned>(read_count))) Fail("io_uring_setup");
  std::vector<Read> reads(read_count);
  size_t under_way = 0;
  auto begin = [&](size_t slot) {
    size_t index = job->next_run++;
    if (index >= job->runs.size()) return;
    Read& read = reads[slot];
    read.run_index = index;
    const Run& run = job->runs[index];
    errno = ring.Read(job->descriptor, read.buffer, SizeOf(run), OffsetOf(run), slot);
    if (errno != 0) Fail("io_uring_enter");
    under_way++;
  };
  for (size_t slot = 0; slot < read_count; slot++) begin(slot);
  while (under_way > 0) {
    int size;
    size_t slot = ring.Wait(&size);
    under_way--;
    const Run& run = job->runs[reads[slot].run_index];
    if (size != static_cast<int>(SizeOf(run))) Fail("io_uring read");
    InspectRun(job, run, reads[slot].buffer);
    begin(slot);
  }
  for (Read& read : reads) free(read.buffer);
}

// The digests of a volume that is all zero.
std::vector<uint8_t> ZeroDigests(const Kernels& kernels, uint64_t block_count) {
  uint8_t digest[kDigestSize];
  HashZeroBlock(kernels, digest);
  std::vector<uint8_t> digests;
  for (uint64_t i = 0; i < block_count; i++) {
    digests.insert(digests.end(), digest, digest + kDigestSize);
  }
  return digests;
}

void RunThreads(Job* job, int thread_count, size_t ring_reads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; i++) {
    threads.emplace_back([=] { ring_reads > 0 ? ReadRunsByRing(job, ring_reads) : ReadRuns(job); });
  }
  for (std::thread& thread : threads) thread.join();
}

void PrintAggregate(const Job& job) {
  uint8_t aggregate[kDigestSize];
  const uint8_t* message = job.digests.data();
  Sha256(*job.kernels.sha256, {&message, 1}, job.digests.size(), aggregate);
  std::printf("\"aggregate\": \"");
  for (uint8_t byte : aggregate) std::printf("%02x", byte);
  std::printf("\"");
}

int Main(int argument_count, char** arguments) {
  if (argument_count < 3 || argument_count > 4) {
    std::fprintf(stderr, "usage: read_floor FILE THREADS [READS]\n");
    return 2;
  }
  Job job{.kernels = FastestKernels()};
  job.descriptor = OpenPastCache(arguments[1]);
  if (job.descriptor < 0) Fail(arguments[1]);
  uint64_t block_count = static_cast<uint64_t>(lseek(job.descriptor, 0, SEEK_END)) / kBlockSize;
  job.digests = ZeroDigests(job.kernels, block_count);

  Usage usage;
  job.runs = FindRuns(job.descriptor, block_count);
  size_t ring_reads = argument_count == 4 ? std::strtoul(arguments[3], nullptr, 10) : 0;
  RunThreads(&job, std::atoi(arguments[2]), ring_reads);

  std::printf("{");
  usage.Print();
  std::printf(", ");
  PrintAggregate(job);
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace ebs

int main(int argument_count, char** arguments) { return ebs::Main(argument_count, arguments); }
