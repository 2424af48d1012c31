#include "block_writer.h"

#include <utility>
#include <vector>

#include "js_values.h"
#include "write_queue.h"

namespace ebs {

struct BlockWriter::Core {
  using FinishFunction = Napi::TypedThreadSafeFunction<Core, void, OnFinish>;

  // The JavaScript object; null when it is gone. JavaScript thread only.
  BlockWriter* owner = nullptr;
  FinishFunction on_finish;
  // Jobs submitted and not yet reported: while there are any, the event loop is kept alive, and so
  // is the object, through their callbacks.
  size_t pending_count = 0;
  Status open_status;
  std::unique_ptr<WriteQueue> queue;
};

// Made and destroyed on the JavaScript thread.
struct BlockWriter::Job : WriteJob {
  // Keeps the memory that is written.
  Napi::ObjectReference memory;
  Napi::FunctionReference callback;
};

Napi::Function BlockWriter::Define(Napi::Env env) {
  return DefineClass(env, "BlockWriter",
                     {
                         InstanceMethod<&BlockWriter::Failure>("failure"),
                         InstanceMethod<&BlockWriter::IsDirect>("isDirect"),
                         InstanceMethod<&BlockWriter::Write>("write"),
                         InstanceMethod<&BlockWriter::Clear>("clear"),
                         InstanceMethod<&BlockWriter::Sync>("sync"),
                         InstanceMethod<&BlockWriter::Close>("close"),
                     });
}

BlockWriter::BlockWriter(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  auto setup = info[0].As<Napi::Object>();
  auto descriptor = static_cast<int>(NumberFrom(setup, "fd"));
  auto thread_count = static_cast<uint32_t>(NumberFrom(setup, "threadCount"));
  auto core = std::make_unique<Core>();
  core->owner = this;
  core->on_finish = Core::FinishFunction::New(
      info.Env(), "ebs-snapshot-stream", 0, 1, core.get(),
      [](Napi::Env, void*, Core* finalized) {
        if (finalized->owner != nullptr) finalized->owner->core_ = nullptr;
        // Waits for the threads.
        finalized->queue.reset();
        delete finalized;
      },
      static_cast<void*>(nullptr));
  core_ = core.release();
  core_->on_finish.Unref(info.Env());
  core_->queue = std::make_unique<WriteQueue>(
      thread_count, [core = core_] { core->on_finish.NonBlockingCall(); });
  core_->open_status = core_->queue->Open(descriptor);
}

BlockWriter::~BlockWriter() {
  if (core_ == nullptr) return;
  core_->owner = nullptr;
  core_->on_finish.Release();
}

Napi::Value BlockWriter::Failure(const Napi::CallbackInfo& info) {
  if (core_ == nullptr || core_->open_status.ok()) return info.Env().Undefined();
  return FailureToJs(info.Env(), core_->open_status);
}

Napi::Value BlockWriter::IsDirect(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), core_ != nullptr && core_->queue->is_direct());
}

void BlockWriter::Write(const Napi::CallbackInfo& info) {
  auto memory = info[0].As<Napi::Uint8Array>();
  auto job = std::make_unique<Job>();
  job->kind = WriteJob::Kind::kWrite;
  job->bytes = memory.Data();
  // Of a worker that is being terminated, nothing can be read.
  if (job->bytes == nullptr) return;
  job->size = memory.ByteLength();
  job->offset = static_cast<uint64_t>(info[1].As<Napi::Number>().DoubleValue());
  job->memory = Napi::Persistent(memory.As<Napi::Object>());
  job->callback = Napi::Persistent(info[2].As<Napi::Function>());
  Submit(info.Env(), std::move(job));
}

void BlockWriter::Clear(const Napi::CallbackInfo& info) {
  auto job = std::make_unique<Job>();
  job->kind = WriteJob::Kind::kClear;
  job->offset = static_cast<uint64_t>(info[0].As<Napi::Number>().DoubleValue());
  job->size = static_cast<uint64_t>(info[1].As<Napi::Number>().DoubleValue());
  job->callback = Napi::Persistent(info[2].As<Napi::Function>());
  Submit(info.Env(), std::move(job));
}

void BlockWriter::Sync(const Napi::CallbackInfo& info) {
  auto job = std::make_unique<Job>();
  job->kind = WriteJob::Kind::kSync;
  job->callback = Napi::Persistent(info[0].As<Napi::Function>());
  Submit(info.Env(), std::move(job));
}

// Nothing is outstanding, so the threads are idle and end at once, and the file is closed when this
// returns.
void BlockWriter::Close(const Napi::CallbackInfo&) {
  if (core_ == nullptr) return;
  core_->queue.reset();
  core_->owner = nullptr;
  std::exchange(core_, nullptr)->on_finish.Release();
}

void BlockWriter::Submit(Napi::Env env, std::unique_ptr<Job> job) {
  if (core_ == nullptr) return;
  if (core_->pending_count++ == 0) core_->on_finish.Ref(env);
  core_->queue->Submit(std::move(job));
}

// `env` is null when the environment is ending.
void BlockWriter::OnFinish(Napi::Env env, Napi::Function, Core* core, void*) {
  if (env == nullptr || core->queue == nullptr) return;
  std::vector<std::unique_ptr<WriteJob>> jobs = core->queue->TakeFinished();
  core->pending_count -= jobs.size();
  if (core->pending_count == 0) core->on_finish.Unref(env);
  // A callback may close the writer: `core` is not to be used from here on.
  for (std::unique_ptr<WriteJob>& finished : jobs) {
    std::unique_ptr<Job> job(static_cast<Job*>(finished.release()));
    if (job->status.ok()) {
      job->callback.Call({});
    } else {
      job->callback.Call({FailureToJs(env, job->status)});
    }
  }
}

}  // namespace ebs
