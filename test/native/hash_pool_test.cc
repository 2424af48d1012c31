#include "hash_pool.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sizes.h"
#include "support/gate.h"
#include "support/interposed_system.h"
#include "support/nist_vectors.h"
#include "support/seeded_random.h"
#include "support/thread_watch.h"

namespace ebs {
namespace {

// Known by a number, and counted while they exist.
struct NumberedJob : HashJob {
  NumberedJob(int number_of, std::atomic<int>* count_of) : number(number_of), count(count_of) {
    (*count)++;
  }
  ~NumberedJob() override { (*count)--; }

  const int number;
  std::atomic<int>* const count;
};

class HashPoolTest : public testing::Test {
 protected:
  static constexpr size_t kBlocks = 6;

  // Block 0 is zero, each of the others has one set byte.
  HashPoolTest() : memory_(kBlocks * kBlockSize) {
    for (size_t block = 1; block < kBlocks; block++) memory_[block * kBlockSize + block] = 1;
    for (size_t block = 0; block < kBlocks; block++) {
      uint8_t digest[kDigestSize];
      const uint8_t* bytes = Bytes(block);
      Sha256(Sha256Kernels().front(), {&bytes, 1}, kBlockSize, digest);
      digests_.push_back(ToHex(digest, kDigestSize));
    }
  }

  // Each job was destroyed, whatever became of it.
  ~HashPoolTest() override { EXPECT_EQ(job_count_, 0); }

  const uint8_t* Bytes(size_t block) const { return memory_.data() + block * kBlockSize; }

  std::unique_ptr<NumberedJob> MakeJob(int number, const std::vector<size_t>& blocks) {
    auto job = std::make_unique<NumberedJob>(number, &job_count_);
    job->kernels = kernels_;
    for (size_t block : blocks) job->blocks.push_back(Bytes(block));
    job->facts.resize(blocks.size());
    return job;
  }

  void ExpectFacts(const HashJob& job, const std::vector<size_t>& blocks) {
    for (size_t i = 0; i < blocks.size(); i++) {
      EXPECT_EQ(job.facts[i].is_zero, blocks[i] == 0);
      if (blocks[i] == 0) continue;
      EXPECT_EQ(ToHex(job.facts[i].digest, kDigestSize), digests_[blocks[i]]);
    }
  }

  // Takes finished jobs until there were `count`.
  std::vector<std::unique_ptr<HashJob>> TakeJobs(HashPool* pool, size_t count) {
    std::vector<std::unique_ptr<HashJob>> jobs = pool->TakeFinished();
    while (jobs.size() < count) {
      finished_.WaitFor(++waited_);
      for (auto& job : pool->TakeFinished()) jobs.push_back(std::move(job));
    }
    return jobs;
  }

  std::vector<uint8_t> memory_;
  std::vector<std::string> digests_;
  std::atomic<int> job_count_{0};
  Kernels kernels_ = {.sha256 = &Sha256Kernels().front(), .zero_scan = &ZeroScanKernels().front()};
  Gate finished_;
  int waited_ = 0;
};

TEST_F(HashPoolTest, HashesManyJobsOfManyBlocks) {
  SCOPED_TRACE(TestSeed());
  SeededRandom random(TestSeed());
  constexpr int kJobs = 60;
  std::vector<std::vector<size_t>> blocks(kJobs);
  HashPool pool(4, [this] { finished_.Pass(); });
  for (int number = 0; number < kJobs; number++) {
    blocks[number].resize(1 + random.Below(5));
    for (size_t& block : blocks[number]) block = random.Below(kBlocks);
    pool.Submit(MakeJob(number, blocks[number]));
  }
  std::set<int> numbers;
  for (const auto& job : TakeJobs(&pool, kJobs)) {
    const auto& numbered = static_cast<const NumberedJob&>(*job);
    EXPECT_TRUE(numbers.insert(numbered.number).second) << numbered.number << " came twice";
    ExpectFacts(*job, blocks[numbered.number]);
  }
  EXPECT_EQ(numbers.size(), static_cast<size_t>(kJobs));
  EXPECT_TRUE(pool.TakeFinished().empty());
}

struct ListeningJob : HashJob {
  void OnInspected(size_t index) override { told[index] = ToHex(facts[index].digest, kDigestSize); }

  std::vector<std::string> told;
};

TEST_F(HashPoolTest, TellsAJobOfEachBlockBeforeItIsFinished) {
  constexpr int kJobs = 8;
  const std::vector<size_t> kWanted = {1, 4, 2};
  HashPool pool(2, [this] { finished_.Pass(); });
  for (int number = 0; number < kJobs; number++) {
    auto job = std::make_unique<ListeningJob>();
    job->kernels = kernels_;
    for (size_t block : kWanted) job->blocks.push_back(Bytes(block));
    job->facts.resize(kWanted.size());
    job->told.resize(kWanted.size());
    pool.Submit(std::move(job));
  }
  for (const auto& job : TakeJobs(&pool, kJobs)) {
    const auto& told = static_cast<const ListeningJob&>(*job).told;
    for (size_t i = 0; i < kWanted.size(); i++) EXPECT_EQ(told[i], digests_[kWanted[i]]);
  }
}

// Blocks of different jobs are hashed side by side, if they want the same kernels.
TEST_F(HashPoolTest, UsesTheKernelsOfEachJob) {
  constexpr ZeroScanKernel kAllZero = {"all-zero", [](const uint8_t*, size_t) { return true; }};
  constexpr int kJobs = 12;
  HashPool pool(1, [this] { finished_.Pass(); });
  for (int number = 0; number < kJobs; number++) {
    auto job = MakeJob(number, {1});
    if (number % 2 == 0) job->kernels.zero_scan = &kAllZero;
    pool.Submit(std::move(job));
  }
  for (const auto& job : TakeJobs(&pool, kJobs)) {
    int number = static_cast<const NumberedJob&>(*job).number;
    EXPECT_EQ(job->facts[0].is_zero, number % 2 == 0) << number;
  }
}

TEST_F(HashPoolTest, DropsWhatIsQueuedWhenItIsDestroyed) {
  for (int trial = 0; trial < 30; trial++) {
    int finished_before = finished_.count();
    HashPool pool(2, [this] { finished_.Pass(); });
    for (int number = 0; number < 8; number++) pool.Submit(MakeJob(number, {1, 0, 2, 3}));
    // From before the first job is done to the middle: two may be reported at once.
    finished_.WaitFor(finished_before + trial % 4);
  }
}

TEST_F(HashPoolTest, WaitsForTheBlocksInHandWhenItIsDestroyed) {
  static Gate begun, may_end;
  static std::atomic<bool> has_ended;
  has_ended = false;
  constexpr ZeroScanKernel kSlow = {"slow", [](const uint8_t*, size_t) {
                                      begun.Pass();
                                      may_end.WaitFor(1);
                                      has_ended = true;
                                      return true;
                                    }};
  kernels_.zero_scan = &kSlow;
  auto pool = std::make_unique<HashPool>(1, [this] { finished_.Pass(); });
  pool->Submit(MakeJob(0, {1}));
  begun.WaitFor(1);
  Thread destroyer;
  ASSERT_EQ(destroyer.Start("destroyer", [&] { pool.reset(); }), 0);
  WaitUntilThreadsSleep("destroyer", 1);
  EXPECT_FALSE(has_ended);
  may_end.Pass();
  destroyer.Join();
  EXPECT_TRUE(has_ended);
}

TEST_F(HashPoolTest, EndsItsThreadsWhenThereIsNothingToDoAndBeginsAnew) {
  HashPool pool(3, [this] { finished_.Pass(); });
  for (int round = 0; round < 2; round++) {
    pool.Submit(MakeJob(round, {1, 2}));
    ExpectFacts(*TakeJobs(&pool, 1)[0], {1, 2});
    WaitUntilThreadsSleep("ebs-hash", 0);
  }
}

TEST_F(HashPoolTest, HashesOnTheCallersThreadWhereThereIsNoOther) {
  SystemHooks hooks;
  hooks.pthread_create = [] { return EAGAIN; };
  InterposedSystem system(hooks);
  HashPool pool(4, [this] { finished_.Pass(); });
  for (int number = 0; number < 3; number++) {
    pool.Submit(MakeJob(number, {1, 0, 3}));
    EXPECT_EQ(finished_.count(), number + 1);
    auto jobs = pool.TakeFinished();
    ASSERT_EQ(jobs.size(), 1u);
    ExpectFacts(*jobs[0], {1, 0, 3});
  }
}

TEST_F(HashPoolTest, HashesWithTheThreadsThatItGot) {
  std::atomic<int> asked{0};
  SystemHooks hooks;
  hooks.pthread_create = [&] { return asked++ == 0 ? 0 : EAGAIN; };
  InterposedSystem system(hooks);
  HashPool pool(4, [this] { finished_.Pass(); });
  constexpr int kJobs = 20;
  for (int number = 0; number < kJobs; number++) pool.Submit(MakeJob(number, {1, 2, 0, 4}));
  for (const auto& job : TakeJobs(&pool, kJobs)) ExpectFacts(*job, {1, 2, 0, 4});
}

}  // namespace
}  // namespace ebs
