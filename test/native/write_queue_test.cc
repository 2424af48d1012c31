#include "write_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sizes.h"
#include "support/gate.h"
#include "support/interposed_system.h"
#include "support/page_memory.h"
#include "support/temporary_file.h"

namespace ebs {
namespace {

constexpr size_t kBlocks = 24;

// A file and a queue that writes to it; WaitFor collects what is finished.
class WriteQueueTest : public testing::Test {
 protected:
  WriteQueueTest() : file_(std::string(kBlocks * kBlockSize, 'o')), memory_(kBlocks * kBlockSize) {
    descriptor_ = open(file_.path().c_str(), O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < kBlocks * kBlockSize; i++) {
      memory_.bytes()[i] = static_cast<uint8_t>(i / kBlockSize + i % 251);
    }
  }
  ~WriteQueueTest() override { close(descriptor_); }

  std::unique_ptr<WriteQueue> MakeQueue(uint32_t thread_count) {
    auto queue = std::make_unique<WriteQueue>(thread_count, [this] {
      std::lock_guard lock(mutex_);
      is_called_ = true;
      called_.notify_one();
    });
    EXPECT_TRUE(queue->Open(descriptor_).ok());
    return queue;
  }

  static std::unique_ptr<WriteJob> Job(WriteJob::Kind kind, const uint8_t* bytes = nullptr,
                                       uint64_t size = 0, uint64_t offset = 0) {
    auto job = std::make_unique<WriteJob>();
    job->kind = kind;
    job->bytes = bytes;
    job->size = size;
    job->offset = offset;
    return job;
  }

  void WriteBlock(WriteQueue* queue, size_t block, size_t misalignment = 0) {
    queue->Submit(Job(WriteJob::Kind::kWrite, memory_.bytes() + block * kBlockSize + misalignment,
                      kBlockSize - misalignment, block * kBlockSize + misalignment));
  }

  std::vector<std::unique_ptr<WriteJob>> WaitFor(WriteQueue* queue, size_t count) {
    std::vector<std::unique_ptr<WriteJob>> jobs;
    while (jobs.size() < count) {
      std::unique_lock lock(mutex_);
      called_.wait(lock, [this] { return is_called_; });
      is_called_ = false;
      lock.unlock();
      for (auto& job : queue->TakeFinished()) jobs.push_back(std::move(job));
    }
    return jobs;
  }

  std::string Content() const {
    std::string bytes(kBlocks * kBlockSize, '\0');
    EXPECT_EQ(pread(descriptor_, bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
    return bytes;
  }
  std::string Memory() const {
    return std::string(reinterpret_cast<const char*>(memory_.bytes()), kBlocks * kBlockSize);
  }

  TemporaryFile file_;
  PageMemory memory_;
  int descriptor_;
  std::mutex mutex_;
  std::condition_variable called_;
  bool is_called_ = false;
};

TEST_F(WriteQueueTest, WritesManyBlocksOnManyThreads) {
  auto queue = MakeQueue(4);
  for (size_t block = 0; block < kBlocks; block++) WriteBlock(queue.get(), block);
  for (auto& job : WaitFor(queue.get(), kBlocks)) EXPECT_TRUE(job->status.ok());
  EXPECT_TRUE(Content() == Memory());
}

TEST_F(WriteQueueTest, WritesFromMemoryThatIsNotAligned) {
  auto queue = MakeQueue(2);
  for (size_t block = 0; block < kBlocks; block++) {
    uint8_t* start = memory_.bytes() + block * kBlockSize;
    // From one byte further on than it belongs, so that no address fits O_DIRECT.
    queue->Submit(Job(WriteJob::Kind::kWrite, start + 1, kBlockSize - 1, block * kBlockSize));
  }
  for (auto& job : WaitFor(queue.get(), kBlocks)) EXPECT_TRUE(job->status.ok());
  std::string expected(kBlocks * kBlockSize, 'o');
  for (size_t block = 0; block < kBlocks; block++) {
    expected.replace(block * kBlockSize, kBlockSize - 1,
                     Memory().substr(block * kBlockSize + 1, kBlockSize - 1));
  }
  EXPECT_TRUE(Content() == expected);
}

TEST_F(WriteQueueTest, SyncsBeforeWhatWaits) {
  Gate arrived;
  Gate released;
  std::mutex order_mutex;
  std::vector<std::string> order;
  auto note = [&](const std::string& what) {
    std::lock_guard lock(order_mutex);
    order.push_back(what);
  };
  SystemHooks hooks;
  hooks.pwrite = [&](int descriptor, const void* bytes, size_t size, off_t offset) {
    note("write");
    if (offset == 0) {
      arrived.Pass();
      released.WaitFor(1);
    }
    return __real_pwrite(descriptor, bytes, size, offset);
  };
  hooks.fsync = [&](int) {
    note("sync");
    return 0;
  };
  InterposedSystem system(hooks);
  auto queue = MakeQueue(1);
  WriteBlock(queue.get(), 0);
  arrived.WaitFor(1);
  WriteBlock(queue.get(), 1);
  queue->Submit(Job(WriteJob::Kind::kSync));
  released.Pass();
  WaitFor(queue.get(), 3);
  queue.reset();
  EXPECT_EQ(order, (std::vector<std::string>{"write", "sync", "write"}));
}

TEST_F(WriteQueueTest, ReportsTheFailureOfTheOneJob) {
  SystemHooks hooks;
  hooks.pwrite = [](int descriptor, const void* bytes, size_t size, off_t offset) -> ssize_t {
    if (offset == 3 * static_cast<off_t>(kBlockSize)) return Fail(EIO);
    return __real_pwrite(descriptor, bytes, size, offset);
  };
  InterposedSystem system(hooks);
  auto queue = MakeQueue(4);
  for (size_t block = 0; block < 8; block++) WriteBlock(queue.get(), block);
  for (auto& job : WaitFor(queue.get(), 8)) {
    EXPECT_EQ(job->status.error_number, job->offset == 3 * kBlockSize ? EIO : 0);
  }
  queue.reset();
}

TEST_F(WriteQueueTest, WorksWithoutAnyThread) {
  SystemHooks hooks;
  hooks.pthread_create = [] { return EAGAIN; };
  InterposedSystem system(hooks);
  auto queue = MakeQueue(4);
  for (size_t block = 0; block < kBlocks; block++) WriteBlock(queue.get(), block);
  for (auto& job : WaitFor(queue.get(), kBlocks)) EXPECT_TRUE(job->status.ok());
  EXPECT_TRUE(Content() == Memory());
}

TEST_F(WriteQueueTest, DropsWhatIsQueuedWhenItIsDestroyed) {
  Gate writes;
  SystemHooks hooks;
  hooks.pwrite = [&](int descriptor, const void* bytes, size_t size, off_t offset) {
    writes.Pass();
    return __real_pwrite(descriptor, bytes, size, offset);
  };
  InterposedSystem system(hooks);
  auto queue = MakeQueue(1);
  for (size_t block = 0; block < kBlocks; block++) WriteBlock(queue.get(), block);
  writes.WaitFor(1);
  queue.reset();
  // What was begun is whole; nothing is written once the queue is gone.
  int begun = writes.count();
  size_t written = static_cast<size_t>(begun) * kBlockSize;
  EXPECT_TRUE(Content().substr(0, written) == Memory().substr(0, written));
  EXPECT_EQ(writes.count(), begun);
}

}  // namespace
}  // namespace ebs
