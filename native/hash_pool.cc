#include "hash_pool.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

namespace ebs {
namespace {

// Longer than the pauses of a stream that flows, short enough that nobody sees idle threads.
constexpr std::chrono::milliseconds kLinger{500};

}  // namespace

HashPool::HashPool(uint32_t thread_count, std::function<void()> on_finish)
    : on_finish_(std::move(on_finish)), workers_(thread_count) {}

HashPool::~HashPool() {
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
    changed_.notify_all();
  }
  for (Worker& worker : workers_) worker.thread.Join();
}

void HashPool::Submit(std::unique_ptr<HashJob> job) {
  job->unfinished_count = job->blocks.size();
  bool has_worker = true;
  {
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < job->blocks.size(); i++) queue_.push_back({job.get(), i});
    unfinished_.push_back(std::move(job));
    if (idle_count_ == 0) has_worker = StartWorker();
    changed_.notify_one();
  }
  if (!has_worker) HashOnThisThread();
}

std::vector<std::unique_ptr<HashJob>> HashPool::TakeFinished() {
  std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

// Returns whether any worker is there.
bool HashPool::StartWorker() {
  bool is_any_running = false;
  for (Worker& worker : workers_) {
    if (worker.is_running) {
      is_any_running = true;
      continue;
    }
    // It has ended on its own, if it ever began.
    worker.thread.Join();
    worker.is_running =
        worker.thread.Start("ebs-hash", [this, &worker] { RunWorker(&worker); }) == 0;
    return is_any_running || worker.is_running;
  }
  return is_any_running;
}

void HashPool::RunWorker(Worker* worker) {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    std::vector<Item> items = TakeItems();
    if (items.empty()) {
      idle_count_++;
      bool is_called =
          changed_.wait_for(lock, kLinger, [this] { return is_stopping_ || !queue_.empty(); });
      idle_count_--;
      if (!is_called) break;
      continue;
    }
    lock.unlock();
    Inspect(items);
    lock.lock();
    if (!Finish(items)) continue;
    lock.unlock();
    on_finish_();
    lock.lock();
  }
  worker->is_running = false;
}

std::vector<HashPool::Item> HashPool::TakeItems() {
  std::vector<Item> items;
  while (!queue_.empty()) {
    Item next = queue_.front();
    const Kernels& kernels = items.empty() ? next.job->kernels : items.front().job->kernels;
    if (next.job->kernels != kernels) break;
    items.push_back(next);
    queue_.pop_front();
    if (items.size() == kernels.sha256->lanes) break;
  }
  return items;
}

void HashPool::Inspect(const std::vector<Item>& items) {
  std::array<const uint8_t*, kInspectedBlocksMax> blocks;
  std::array<BlockFacts, kInspectedBlocksMax> facts;
  for (size_t i = 0; i < items.size(); i++) blocks[i] = items[i].job->blocks[items[i].index];
  InspectBlocks(items.front().job->kernels, {blocks.data(), items.size()}, facts.data());
  for (size_t i = 0; i < items.size(); i++) items[i].job->facts[items[i].index] = facts[i];
}

bool HashPool::Finish(const std::vector<Item>& items) {
  bool is_any_finished = false;
  for (const Item& item : items) {
    if (--item.job->unfinished_count > 0) continue;
    auto found = std::find_if(unfinished_.begin(), unfinished_.end(),
                              [&](const auto& job) { return job.get() == item.job; });
    finished_.push_back(std::move(*found));
    unfinished_.erase(found);
    is_any_finished = true;
  }
  return is_any_finished;
}

// For want of threads, as under a limit on processes, the caller's does the work.
void HashPool::HashOnThisThread() {
  std::unique_lock lock(mutex_);
  while (!queue_.empty()) {
    std::vector<Item> items = TakeItems();
    Inspect(items);
    Finish(items);
  }
  lock.unlock();
  on_finish_();
}

}  // namespace ebs
