#include <napi.h>
#include <sys/mman.h>

#include <cstdint>
#include <vector>

#include "block_inspector.h"
#include "block_reader.h"
#include "block_writer.h"
#include "file_lock.h"
#include "receive_window.h"
#include "send_queue.h"
#include "sha256.h"
#include "sizes.h"
#include "zero_scan.h"

// The exports of the addon: src/engine/native-binding.ts tells what they do (NativeBinding).
namespace ebs {
namespace {

// Raised together with BINDING_VERSION of src/engine/native-binding.ts.
constexpr int kBindingVersion = 8;

template <typename Kernel>
Napi::Array NamesOf(Napi::Env env, std::span<const Kernel> kernels) {
  Napi::Array names = Napi::Array::New(env, kernels.size());
  for (uint32_t i = 0; i < kernels.size(); i++) names[i] = Napi::String::New(env, kernels[i].name);
  return names;
}

Napi::Value AlignSlots(const Napi::CallbackInfo& info) {
  auto memory = info[0].As<Napi::Uint8Array>();
  auto address = reinterpret_cast<uintptr_t>(memory.Data());
  uintptr_t bytes_to_page = -address % kPageSize;
#if defined(MADV_HUGEPAGE)
  // Slots are filled and read whole. Of small pages, each costs a fault at its first use.
  madvise(memory.Data() + bytes_to_page, memory.ByteLength() - bytes_to_page, MADV_HUGEPAGE);
#endif
  return Napi::Number::New(info.Env(), static_cast<double>(bytes_to_page));
}

Napi::Value HashMessages(const Napi::CallbackInfo& info) {
  const Sha256Kernel& kernel = Sha256Kernels()[info[0].As<Napi::Number>().Uint32Value()];
  auto messages = info[1].As<Napi::Array>();
  std::vector<const uint8_t*> addresses;
  size_t size = 0;
  for (uint32_t i = 0; i < messages.Length(); i++) {
    auto message = messages.Get(i).As<Napi::Uint8Array>();
    addresses.push_back(message.Data());
    size = message.ByteLength();
  }
  auto digests = Napi::Uint8Array::New(info.Env(), addresses.size() * kDigestSize);
  Sha256(kernel, addresses, size, digests.Data());
  return digests;
}

Napi::Value IsZero(const Napi::CallbackInfo& info) {
  const ZeroScanKernel& kernel = ZeroScanKernels()[info[0].As<Napi::Number>().Uint32Value()];
  auto bytes = info[1].As<Napi::Uint8Array>();
  return Napi::Boolean::New(info.Env(), kernel.is_zero(bytes.Data(), bytes.ByteLength()));
}

Napi::Value LimitReceiveWindow(const Napi::CallbackInfo& info) {
  Status status = SetReceiveWindow(info[0].As<Napi::Number>().Int32Value(),
                                   info[1].As<Napi::Number>().Int32Value(),
                                   info[2].As<Napi::Number>().Int32Value());
  return Napi::Number::New(info.Env(), status.error_number);
}

Napi::Value UnacknowledgedBytesOf(const Napi::CallbackInfo& info) {
  int bytes = UnacknowledgedBytes(info[0].As<Napi::Number>().Int32Value());
  return Napi::Number::New(info.Env(), bytes);
}

Napi::Value LockFile(const Napi::CallbackInfo& info) {
  Status status = TryLockFile(info[0].As<Napi::Number>().Int32Value());
  return Napi::Number::New(info.Env(), status.error_number);
}

// Once for each environment. Nothing is shared between environments but constants.
Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports["version"] = Napi::Number::New(env, kBindingVersion);
  exports["sha256Kernels"] = NamesOf(env, Sha256Kernels());
  exports["zeroScanKernels"] = NamesOf(env, ZeroScanKernels());
  exports["BlockReader"] = BlockReader::Define(env);
  exports["BlockWriter"] = BlockWriter::Define(env);
  exports["BlockInspector"] = BlockInspector::Define(env);
  exports["alignSlots"] = Napi::Function::New<AlignSlots>(env, "alignSlots");
  exports["sha256"] = Napi::Function::New<HashMessages>(env, "sha256");
  exports["isZero"] = Napi::Function::New<IsZero>(env, "isZero");
  exports["limitReceiveWindow"] =
      Napi::Function::New<LimitReceiveWindow>(env, "limitReceiveWindow");
  exports["unacknowledgedBytes"] =
      Napi::Function::New<UnacknowledgedBytesOf>(env, "unacknowledgedBytes");
  exports["lockFile"] = Napi::Function::New<LockFile>(env, "lockFile");
  return exports;
}

}  // namespace
}  // namespace ebs

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) {
  return ebs::Init(env, exports);
}

NODE_API_MODULE(ebs_snapshot_stream, InitAddon)
