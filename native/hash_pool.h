#ifndef EBS_NATIVE_HASH_POOL_H_
#define EBS_NATIVE_HASH_POOL_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "block_facts.h"
#include "thread.h"

namespace ebs {

// Blocks to scan and hash. `blocks`, of kBlockSize bytes each, belong to the caller and must stay
// as they are until the job comes back.
struct HashJob {
  virtual ~HashJob() = default;

  // Called for each block on the thread that hashed it, as soon as facts[index] is set, its bytes
  // being in that core's cache.
  virtual void OnInspected(size_t /*index*/) {}

  Kernels kernels;
  std::vector<const uint8_t*> blocks;
  // facts[i] is of blocks[i]; as many.
  std::vector<BlockFacts> facts;
  // The pool's own count.
  size_t unfinished_count = 0;
};

// Scans and hashes memory on a few threads, which begin when there is work for them and end by
// themselves a while after the last. Blocks of different jobs are hashed side by side, which takes
// half the CPU of one after the other: a thread with a lone block waits a little for a second,
// unless that was in vain not long ago.
//
// All public functions belong to one thread, the caller's.
class HashPool {
 public:
  // `on_finish` is called, mostly from the pool's threads, when TakeFinished has something new. It
  // may not call back into the pool.
  HashPool(uint32_t thread_count, std::function<void()> on_finish);

  // Drops what is queued, and waits until the threads have ended: as long as they hash a block.
  ~HashPool();
  HashPool(const HashPool&) = delete;
  HashPool& operator=(const HashPool&) = delete;

  // Takes a job of at least one block.
  void Submit(std::unique_ptr<HashJob> job);

  // Returns the jobs that were finished since the last call.
  std::vector<std::unique_ptr<HashJob>> TakeFinished();

 private:
  struct Item {
    HashJob* job;
    size_t index;
  };

  struct Worker {
    Thread thread;
    bool is_running = false;
  };

  size_t WorkersWanted() const;
  bool StartWorkers(size_t count);
  void RunWorker(Worker* worker);
  // Takes as many items as the kernel hashes side by side; none when the queue is empty.
  std::vector<Item> TakeItems();
  void FillUp(std::vector<Item>* items);
  void AwaitPartner(std::vector<Item>* items, std::unique_lock<std::mutex>* lock);
  static void Inspect(const std::vector<Item>& items);
  // Returns whether that finished any job.
  bool Finish(const std::vector<Item>& items);
  void HashOnThisThread();

  const std::function<void()> on_finish_;

  // Guards all that follows.
  std::mutex mutex_;
  // For idle workers, and for those that have a lone block.
  std::condition_variable changed_;
  std::condition_variable partner_came_;
  std::deque<Worker> workers_;
  std::deque<Item> queue_;
  std::vector<std::unique_ptr<HashJob>> unfinished_;
  std::vector<std::unique_ptr<HashJob>> finished_;
  size_t idle_count_ = 0;
  size_t lone_count_ = 0;
  // Lone blocks that are hashed at once, until the next one waits for a partner.
  uint32_t impatience_ = 0;
  bool is_stopping_ = false;
};

}  // namespace ebs

#endif  // EBS_NATIVE_HASH_POOL_H_
