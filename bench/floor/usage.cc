#include "usage.h"

#include <sys/resource.h>

#include <cstdio>

namespace ebs {
namespace {

rusage UsageNow() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

Usage::Usage()
    : start_(std::chrono::steady_clock::now()),
      user_start_seconds_(Seconds(UsageNow().ru_utime)),
      system_start_seconds_(Seconds(UsageNow().ru_stime)) {}

double Usage::CpuSeconds() const {
  rusage now = UsageNow();
  return Seconds(now.ru_utime) - user_start_seconds_ + Seconds(now.ru_stime) -
         system_start_seconds_;
}

void Usage::Print() const {
  std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start_;
  rusage now = UsageNow();
  std::printf("\"wallSeconds\": %f, \"cpuSeconds\": %f, \"systemSeconds\": %f, ", wall.count(),
              CpuSeconds(), Seconds(now.ru_stime) - system_start_seconds_);
  // Kilobytes on Linux: getrusage(2).
  std::printf("\"peakRssMiB\": %f", static_cast<double>(now.ru_maxrss) / 1024);
}

}  // namespace ebs
