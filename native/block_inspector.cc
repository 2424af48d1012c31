#include "block_inspector.h"

#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "block_destination.h"
#include "hash_pool.h"
#include "js_values.h"

namespace ebs {

struct BlockInspector::Core {
  using FinishFunction = Napi::TypedThreadSafeFunction<Core, void, OnFinish>;

  // The JavaScript object; null when it is gone. JavaScript thread only.
  BlockInspector* owner = nullptr;
  FinishFunction on_finish;
  // Jobs submitted and not yet reported: while there are any, the event loop is kept alive.
  size_t pending_count = 0;
  std::unique_ptr<HashPool> pool;
};

// Made and destroyed on the JavaScript thread.
struct BlockInspector::Job : HashJob {
  void OnInspected(size_t index) override {
    if (!destination.has_value() || !destination->IsExpected(facts[index])) return;
    status = destination->Write(blocks[index]);
  }

  // Keeps the memory of the blocks: one block, or an array of them.
  Napi::ObjectReference memory;
  Napi::FunctionReference callback;
  // Of a job of one block.
  std::optional<BlockDestination> destination;
  Status status;
};

namespace {

BlockDestination DestinationFrom(Napi::Object from) {
  BlockDestination destination;
  destination.fd = static_cast<int>(NumberFrom(from, "fd"));
  destination.offset = static_cast<uint64_t>(NumberFrom(from, "offset"));
  auto digest = from.Get("expectedDigest").As<Napi::Uint8Array>();
  destination.expects_zero = digest.ByteLength() == 0;
  if (!destination.expects_zero)
    std::memcpy(destination.expected_digest, digest.Data(), kDigestSize);
  return destination;
}

void Report(Napi::Env env, const std::vector<BlockFacts>& facts, const Status& status,
            Napi::FunctionReference* callback) {
  auto flags = Napi::Uint8Array::New(env, facts.size());
  auto digests = Napi::Uint8Array::New(env, facts.size() * kDigestSize);
  // A worker that is being terminated gets nothing.
  if (flags.IsEmpty() || digests.IsEmpty()) return;
  for (size_t i = 0; i < facts.size(); i++) {
    flags.Data()[i] = facts[i].is_zero ? 1 : 0;
    if (facts[i].is_zero) continue;
    std::memcpy(digests.Data() + i * kDigestSize, facts[i].digest, kDigestSize);
  }
  if (status.ok()) {
    callback->Call({flags, digests});
  } else {
    callback->Call({flags, digests, FailureToJs(env, status)});
  }
}

}  // namespace

Napi::Function BlockInspector::Define(Napi::Env env) {
  return DefineClass(env, "BlockInspector",
                     {InstanceMethod<&BlockInspector::Inspect>("inspect"),
                      InstanceMethod<&BlockInspector::Save>("save")});
}

BlockInspector::BlockInspector(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  auto thread_count = static_cast<uint32_t>(NumberFrom(info[0].As<Napi::Object>(), "threadCount"));
  auto core = std::make_unique<Core>();
  core->owner = this;
  core->on_finish = Core::FinishFunction::New(
      info.Env(), "ebs-snapshot-stream", 0, 1, core.get(),
      [](Napi::Env, void*, Core* finalized) {
        if (finalized->owner != nullptr) finalized->owner->core_ = nullptr;
        // Waits for the threads.
        finalized->pool.reset();
        delete finalized;
      },
      static_cast<void*>(nullptr));
  core_ = core.release();
  core_->on_finish.Unref(info.Env());
  core_->pool = std::make_unique<HashPool>(thread_count,
                                           [core = core_] { core->on_finish.NonBlockingCall(); });
}

BlockInspector::~BlockInspector() {
  if (core_ == nullptr) return;
  core_->owner = nullptr;
  core_->on_finish.Release();
}

void BlockInspector::Inspect(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return;
  auto blocks = info[0].As<Napi::Array>();
  auto job = std::make_unique<Job>();
  job->kernels = KernelsFrom(info[1].As<Napi::Object>());
  job->memory = Napi::Persistent(blocks.As<Napi::Object>());
  job->callback = Napi::Persistent(info[2].As<Napi::Function>());
  for (uint32_t i = 0; i < blocks.Length(); i++) {
    const uint8_t* bytes = blocks.Get(i).As<Napi::Uint8Array>().Data();
    // Of a worker that is being terminated, nothing can be read.
    if (bytes == nullptr) return;
    job->blocks.push_back(bytes);
  }
  Submit(info.Env(), std::move(job));
}

void BlockInspector::Save(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return;
  auto block = info[0].As<Napi::Uint8Array>();
  const uint8_t* bytes = block.Data();
  if (bytes == nullptr) return;
  auto job = std::make_unique<Job>();
  job->kernels = KernelsFrom(info[1].As<Napi::Object>());
  job->memory = Napi::Persistent(block.As<Napi::Object>());
  job->callback = Napi::Persistent(info[3].As<Napi::Function>());
  job->blocks.push_back(bytes);
  job->destination = DestinationFrom(info[2].As<Napi::Object>());
  Submit(info.Env(), std::move(job));
}

void BlockInspector::Submit(Napi::Env env, std::unique_ptr<Job> job) {
  job->facts.resize(job->blocks.size());
  if (core_->pending_count++ == 0) core_->on_finish.Ref(env);
  core_->pool->Submit(std::move(job));
}

// `env` is null when the environment is ending.
void BlockInspector::OnFinish(Napi::Env env, Napi::Function, Core* core, void*) {
  if (env == nullptr) return;
  for (std::unique_ptr<HashJob>& finished : core->pool->TakeFinished()) {
    std::unique_ptr<Job> job(static_cast<Job*>(finished.release()));
    if (--core->pending_count == 0) core->on_finish.Unref(env);
    Report(env, job->facts, job->status, &job->callback);
  }
}

}  // namespace ebs
