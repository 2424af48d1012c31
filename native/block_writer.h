#ifndef EBS_NATIVE_BLOCK_WRITER_H_
#define EBS_NATIVE_BLOCK_WRITER_H_

#include <napi.h>

#include <memory>

namespace ebs {

// The JavaScript class over a WriteQueue; src/engine/native-binding.ts tells what its functions do
// (NativeWriterHandle).
//
// The queue and its thread-safe function are one Core, which the function's finalizer destroys:
// when this object is closed or collected, or when the environment ends. The queue's threads end
// before that, so none outlives the memory that it writes from.
class BlockWriter : public Napi::ObjectWrap<BlockWriter> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit BlockWriter(const Napi::CallbackInfo& info);
  ~BlockWriter() override;

 private:
  struct Core;
  struct Job;

  Napi::Value Failure(const Napi::CallbackInfo& info);
  Napi::Value IsDirect(const Napi::CallbackInfo& info);
  void Write(const Napi::CallbackInfo& info);
  void Clear(const Napi::CallbackInfo& info);
  void Sync(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  void Submit(Napi::Env env, std::unique_ptr<Job> job);
  static void OnFinish(Napi::Env env, Napi::Function, Core* core, void*);

  // Null once it is closed, or when the environment is ending.
  Core* core_ = nullptr;
};

}  // namespace ebs

#endif  // EBS_NATIVE_BLOCK_WRITER_H_
