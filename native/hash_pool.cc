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

// How long a lone block waits for a second. A snapshot takes 1000 blocks a second at most (service
// quota): down to a third of that, the next one is there by then.
constexpr std::chrono::milliseconds kPartnerWait{3};

// Lone blocks hashed at once after one that waited in vain: a slow stream waits a tenth of a
// millisecond a block.
constexpr uint32_t kImpatience = 30;

}  // namespace

HashPool::HashPool(uint32_t thread_count, std::function<void()> on_finish)
    : on_finish_(std::move(on_finish)), workers_(thread_count) {}

HashPool::~HashPool() {
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
    changed_.notify_all();
    partner_came_.notify_all();
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
    if (lone_count_ > 0) partner_came_.notify_one();
    size_t wanted = WorkersWanted();
    if (wanted > idle_count_) has_worker = StartWorkers(wanted - idle_count_);
    for (size_t i = 0; i < wanted; i++) changed_.notify_one();
  }
  if (!has_worker) HashOnThisThread();
}

std::vector<std::unique_ptr<HashJob>> HashPool::TakeFinished() {
  std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

// Workers that the queue has work for, beside those that wait for a partner and will take from it.
size_t HashPool::WorkersWanted() const {
  if (queue_.size() <= lone_count_) return 0;
  size_t lanes = queue_.front().job->kernels.sha256->lanes;
  return (queue_.size() - lone_count_ + lanes - 1) / lanes;
}

// Starts as many as there may be. Returns whether any worker is there, of these or of before.
bool HashPool::StartWorkers(size_t count) {
  bool is_any_running = false;
  for (Worker& worker : workers_) {
    if (!worker.is_running && count > 0) {
      count--;
      // It has ended on its own, if it ever began.
      worker.thread.Join();
      worker.is_running =
          worker.thread.Start("ebs-hash", [this, &worker] { RunWorker(&worker); }) == 0;
    }
    is_any_running |= worker.is_running;
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
    AwaitPartner(&items, &lock);
    if (is_stopping_) break;
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
  FillUp(&items);
  return items;
}

void HashPool::FillUp(std::vector<Item>* items) {
  while (!queue_.empty()) {
    Item next = queue_.front();
    const Kernels& kernels = items->empty() ? next.job->kernels : items->front().job->kernels;
    if (next.job->kernels != kernels || items->size() == kernels.sha256->lanes) return;
    items->push_back(next);
    queue_.pop_front();
  }
}

// A worker that waited in vain is followed by many that do not wait.
void HashPool::AwaitPartner(std::vector<Item>* items, std::unique_lock<std::mutex>* lock) {
  if (items->size() > 1 || items->front().job->kernels.sha256->lanes == 1) return;
  if (impatience_ > 0) {
    impatience_--;
    return;
  }
  lone_count_++;
  partner_came_.wait_for(*lock, kPartnerWait, [this] { return is_stopping_ || !queue_.empty(); });
  lone_count_--;
  FillUp(items);
  if (items->size() == 1) impatience_ = kImpatience;
}

void HashPool::Inspect(const std::vector<Item>& items) {
  std::array<const uint8_t*, kInspectedBlocksMax> blocks;
  std::array<BlockFacts, kInspectedBlocksMax> facts;
  for (size_t i = 0; i < items.size(); i++) blocks[i] = items[i].job->blocks[items[i].index];
  InspectBlocks(items.front().job->kernels, {blocks.data(), items.size()}, facts.data());
  for (size_t i = 0; i < items.size(); i++) {
    const Item& item = items[i];
    item.job->facts[item.index] = facts[i];
    item.job->OnInspected(item.index);
  }
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
