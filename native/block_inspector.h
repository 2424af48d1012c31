#ifndef EBS_NATIVE_BLOCK_INSPECTOR_H_
#define EBS_NATIVE_BLOCK_INSPECTOR_H_

#include <napi.h>

#include <memory>

namespace ebs {

// The JavaScript class over a HashPool; src/engine/native-binding.ts tells what its functions
// do (NativeInspectorHandle).
//
// The pool and its thread-safe function are one Core, which the function's finalizer destroys: when
// this object is collected, or when the environment ends. The pool's threads end before that.
class BlockInspector : public Napi::ObjectWrap<BlockInspector> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit BlockInspector(const Napi::CallbackInfo& info);
  ~BlockInspector() override;

 private:
  struct Core;
  struct Job;

  void Inspect(const Napi::CallbackInfo& info);
  void Save(const Napi::CallbackInfo& info);
  void Submit(Napi::Env env, std::unique_ptr<Job> job);
  static void OnFinish(Napi::Env env, Napi::Function, Core* core, void*);

  // Null once the environment is ending.
  Core* core_ = nullptr;
};

}  // namespace ebs

#endif  // EBS_NATIVE_BLOCK_INSPECTOR_H_
