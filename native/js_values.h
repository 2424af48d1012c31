#ifndef EBS_NATIVE_JS_VALUES_H_
#define EBS_NATIVE_JS_VALUES_H_

#include <napi.h>

#include <cstdint>

#include "block_facts.h"
#include "status.h"

// Between JavaScript values and ours. src/engine has checked them: nothing is checked again here.
// JavaScript thread only.
namespace ebs {

// Reads `sha256Kernel` and `zeroScanKernel`, the indices of the lists that the addon exports.
Kernels KernelsFrom(Napi::Object setup);

double NumberFrom(Napi::Object setup, const char* name);

// Makes the { errno, syscall, offset } of which src/engine makes an error.
Napi::Object FailureToJs(Napi::Env env, const Status& status);

}  // namespace ebs

#endif  // EBS_NATIVE_JS_VALUES_H_
