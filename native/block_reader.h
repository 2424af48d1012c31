#ifndef EBS_NATIVE_BLOCK_READER_H_
#define EBS_NATIVE_BLOCK_READER_H_

#include <napi.h>

#include <vector>

namespace ebs {

// The JavaScript class over a ReadSession; src/engine/native-binding.ts tells what its functions do
// (NativeReaderHandle).
//
// Who keeps what alive: the session, its memory and its thread-safe function are one Core. It goes
// when two have let go of it: this object (dispose(), or the garbage collector), and the last
// thread. The thread-safe function is then released, and its finalizer, on the JavaScript thread,
// destroys the Core. When an environment ends (worker exit), Node runs that finalizer without being
// asked, and it waits there for the threads: no thread outlives the memory that it reads into.
class BlockReader : public Napi::ObjectWrap<BlockReader> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit BlockReader(const Napi::CallbackInfo& info);
  ~BlockReader() override;

 private:
  struct Core;

  Napi::Value Opened(const Napi::CallbackInfo& info);
  void Select(const Napi::CallbackInfo& info);
  Napi::Value Take(const Napi::CallbackInfo& info);
  void Wait(const Napi::CallbackInfo& info);
  void GiveBack(const Napi::CallbackInfo& info);
  void LimitSlots(const Napi::CallbackInfo& info);
  void AddSlots(const Napi::CallbackInfo& info);
  void Stop(const Napi::CallbackInfo& info);
  Napi::Value Stopped(const Napi::CallbackInfo& info);
  void Dispose(const Napi::CallbackInfo& info);

  void LetGoOfCore();
  void CallWaiters(Napi::Env env);
  static void OnChange(Napi::Env env, Napi::Function, Core* core, void*);

  // Null once it has been let go of, or when the environment is ending.
  Core* core_ = nullptr;
  // While there are any, the event loop is kept alive, and so is this object, through the
  // functions.
  std::vector<Napi::FunctionReference> waiters_;
};

}  // namespace ebs

#endif  // EBS_NATIVE_BLOCK_READER_H_
