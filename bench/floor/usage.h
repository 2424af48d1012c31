#ifndef EBS_BENCH_FLOOR_USAGE_H_
#define EBS_BENCH_FLOOR_USAGE_H_

#include <chrono>

namespace ebs {

// What this process, with all its threads, has used of time since the object was made.
class Usage {
 public:
  Usage();

  // User and system.
  double CpuSeconds() const;

  // Prints wall, processor time and memory as members of a JSON object, with the names of
  // bench/contenders/trial.js and a comma between, not after them.
  void Print() const;

 private:
  const std::chrono::steady_clock::time_point start_;
  const double user_start_seconds_;
  const double system_start_seconds_;
};

}  // namespace ebs

#endif  // EBS_BENCH_FLOOR_USAGE_H_
