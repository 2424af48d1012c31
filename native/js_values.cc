#include "js_values.h"

namespace ebs {

Kernels KernelsFrom(Napi::Object setup) {
  auto sha256 = static_cast<size_t>(NumberFrom(setup, "sha256Kernel"));
  auto zero_scan = static_cast<size_t>(NumberFrom(setup, "zeroScanKernel"));
  return {.sha256 = &Sha256Kernels()[sha256], .zero_scan = &ZeroScanKernels()[zero_scan]};
}

double NumberFrom(Napi::Object setup, const char* name) {
  return setup.Get(name).As<Napi::Number>().DoubleValue();
}

Napi::Object FailureToJs(Napi::Env env, const Status& status) {
  Napi::Object failure = Napi::Object::New(env);
  failure["errno"] = Napi::Number::New(env, status.error_number);
  failure["syscall"] = Napi::String::New(env, status.syscall);
  failure["offset"] = Napi::Number::New(env, static_cast<double>(status.offset));
  return failure;
}

}  // namespace ebs
