#include "block_reader.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "js_values.h"
#include "read_session.h"

namespace ebs {

struct BlockReader::Core {
  using ChangeFunction = Napi::TypedThreadSafeFunction<Core, void, OnChange>;

  // Whoever is the last to let go releases the function. Any thread.
  void LetGo() {
    if (user_count.fetch_sub(1) == 1) on_change.Release();
  }

  // The JavaScript object; null when it is gone. JavaScript thread only.
  BlockReader* owner = nullptr;
  // The JavaScript object, and the threads.
  std::atomic<int> user_count{2};
  ChangeFunction on_change;
  // Keep the shared memory. Declared before the session, whose threads end before it is dropped.
  std::vector<Napi::Reference<Napi::Uint8Array>> memories;
  std::unique_ptr<ReadSession> session;
};

namespace {

// Numbers of one run in NativeBatch.runs.
constexpr size_t kRunFields = 3;

uint64_t BlockCountFrom(Napi::Object setup) {
  double count = NumberFrom(setup, "blockCount");
  return std::isinf(count) ? UINT64_MAX : static_cast<uint64_t>(count);
}

ReadRequest RequestFrom(Napi::Object setup) {
  return {
      .path = setup.Get("path").As<Napi::String>().Utf8Value(),
      .first_block = static_cast<uint64_t>(NumberFrom(setup, "firstBlock")),
      .block_count = BlockCountFrom(setup),
      .memory = setup.Get("memory").As<Napi::Uint8Array>().Data(),
      .slot_count = static_cast<uint32_t>(NumberFrom(setup, "slotCount")),
      .thread_count = static_cast<uint32_t>(NumberFrom(setup, "threadCount")),
      .kernels = KernelsFrom(setup),
  };
}

Napi::Value BatchToJs(Napi::Env env, const std::vector<BlockRun>& runs) {
  size_t data_count = 0;
  for (const BlockRun& run : runs) data_count += run.slot >= 0;
  auto numbers = Napi::Float64Array::New(env, runs.size() * kRunFields);
  auto digests = Napi::Uint8Array::New(env, data_count * kDigestSize);
  // A worker that is being terminated gets nothing.
  if (numbers.IsEmpty() || digests.IsEmpty()) return env.Undefined();
  double* number = numbers.Data();
  uint8_t* digest = digests.Data();
  for (const BlockRun& run : runs) {
    *number++ = static_cast<double>(run.first_block);
    *number++ = static_cast<double>(run.count);
    *number++ = run.slot;
    if (run.slot < 0) continue;
    std::memcpy(digest, run.digest, kDigestSize);
    digest += kDigestSize;
  }
  Napi::Object batch = Napi::Object::New(env);
  batch["runs"] = numbers;
  batch["digests"] = digests;
  return batch;
}

}  // namespace

Napi::Function BlockReader::Define(Napi::Env env) {
  return DefineClass(env, "BlockReader",
                     {
                         InstanceMethod<&BlockReader::Opened>("opened"),
                         InstanceMethod<&BlockReader::Select>("select"),
                         InstanceMethod<&BlockReader::Take>("take"),
                         InstanceMethod<&BlockReader::Wait>("wait"),
                         InstanceMethod<&BlockReader::GiveBack>("giveBack"),
                         InstanceMethod<&BlockReader::LimitSlots>("limitSlots"),
                         InstanceMethod<&BlockReader::AddSlots>("addSlots"),
                         InstanceMethod<&BlockReader::Stop>("stop"),
                         InstanceMethod<&BlockReader::Stopped>("stopped"),
                         InstanceMethod<&BlockReader::Dispose>("dispose"),
                     });
}

BlockReader::BlockReader(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  auto setup = info[0].As<Napi::Object>();
  ReadRequest request = RequestFrom(setup);
  // Of a worker that is being terminated, nothing can be read; its reader does nothing.
  if (request.memory == nullptr) return;
  auto core = std::make_unique<Core>();
  core->owner = this;
  core->memories.push_back(Napi::Persistent(setup.Get("memory").As<Napi::Uint8Array>()));
  core->on_change = Core::ChangeFunction::New(
      info.Env(), "ebs-snapshot-stream", 0, 1, core.get(),
      [](Napi::Env, void*, Core* finalized) {
        // Waits for the threads, if any are left.
        finalized->session.reset();
        if (finalized->owner != nullptr) finalized->owner->core_ = nullptr;
        delete finalized;
      },
      static_cast<void*>(nullptr));
  core_ = core.release();
  core_->on_change.Unref(info.Env());
  auto on_change = [core = core_] { core->on_change.NonBlockingCall(); };
  auto on_end = [core = core_] { core->LetGo(); };
  core_->session = std::make_unique<ReadSession>(std::move(request), on_change, on_end);
  if (!core_->session->Start()) core_->LetGo();
}

BlockReader::~BlockReader() { LetGoOfCore(); }

Napi::Value BlockReader::Opened(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return info.Env().Undefined();
  SourceInfo source;
  Status status;
  switch (core_->session->Opened(&source, &status)) {
    case Progress::kReady: {
      Napi::Object result = Napi::Object::New(info.Env());
      result["sizeBytes"] = Napi::Number::New(info.Env(), static_cast<double>(source.size_bytes));
      result["isBlockDevice"] = Napi::Boolean::New(info.Env(), source.is_block_device);
      result["isDirect"] = Napi::Boolean::New(info.Env(), source.is_direct);
      return result;
    }
    case Progress::kFailed:
      return FailureToJs(info.Env(), status);
    default:
      return info.Env().Undefined();
  }
}

void BlockReader::Select(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return;
  auto bits = info[0].As<Napi::Uint8Array>();
  core_->session->Select(bits.Data(), bits.ByteLength());
}

Napi::Value BlockReader::Take(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return info.Env().Undefined();
  std::vector<BlockRun> runs;
  Status status;
  switch (core_->session->Take(&runs, &status)) {
    case Progress::kReady:
    case Progress::kEnd:
      return BatchToJs(info.Env(), runs);
    case Progress::kFailed:
      return FailureToJs(info.Env(), status);
    default:
      return info.Env().Undefined();
  }
}

void BlockReader::Wait(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return;
  waiters_.push_back(Napi::Persistent(info[0].As<Napi::Function>()));
  core_->on_change.Ref(info.Env());
  core_->session->WaitForChange();
}

// Blocks outlive a closed reader; their slots are then of no more use.
void BlockReader::GiveBack(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return;
  if (core_->session->GiveBack(info[0].As<Napi::Number>().Uint32Value())) return;
  Napi::Error::New(info.Env(), "A slot was given back twice").ThrowAsJavaScriptException();
}

void BlockReader::LimitSlots(const Napi::CallbackInfo& info) {
  if (core_ != nullptr) core_->session->LimitSlots(info[0].As<Napi::Number>().Uint32Value());
}

void BlockReader::AddSlots(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return;
  auto memory = info[0].As<Napi::Uint8Array>();
  // Of a worker that is being terminated, nothing can be read.
  if (memory.Data() == nullptr) return;
  core_->memories.push_back(Napi::Persistent(memory));
  core_->session->AddSlots(memory.Data(), info[1].As<Napi::Number>().Uint32Value());
}

void BlockReader::Stop(const Napi::CallbackInfo&) {
  if (core_ != nullptr) core_->session->Stop();
}

Napi::Value BlockReader::Stopped(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), core_ == nullptr || core_->session->HasEnded());
}

// Whoever waits would wait for ever: the last change may not have been reported yet.
void BlockReader::Dispose(const Napi::CallbackInfo& info) {
  if (core_ == nullptr) return;
  CallWaiters(info.Env());
  LetGoOfCore();
}

void BlockReader::LetGoOfCore() {
  if (core_ == nullptr) return;
  core_->session->Stop();
  core_->owner = nullptr;
  std::exchange(core_, nullptr)->LetGo();
}

void BlockReader::CallWaiters(Napi::Env env) {
  core_->on_change.Unref(env);
  for (Napi::FunctionReference& waiter : std::exchange(waiters_, {})) waiter.Call({});
}

// `env` is null when the environment is ending.
void BlockReader::OnChange(Napi::Env env, Napi::Function, Core* core, void*) {
  if (env == nullptr || core->owner == nullptr) return;
  core->owner->CallWaiters(env);
}

}  // namespace ebs
