// Runs a fuzz target on inputs that follow from a seed, where there is no libFuzzer:
// --seed=N --runs=N. The input number i is that of seed N + i, which is told when it fails.

#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "support/seeded_random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// Longer than an input takes on any machine: what takes longer hangs.
constexpr unsigned kSecondsMax = 60;

uint64_t seed = 1;
uint64_t run_count = 1000;

void TellSeed() {
  std::fprintf(stderr, "The input was that of --seed=%" PRIu64 " --runs=1\n", seed);
}

void OnSignal(int number) {
  if (number == SIGALRM) std::fprintf(stderr, "The input has run for %u seconds\n", kSecondsMax);
  TellSeed();
  _exit(1);
}

void ReadArguments(int count, char** arguments) {
  for (int i = 1; i < count; i++) {
    if (std::strncmp(arguments[i], "--seed=", 7) == 0) {
      seed = std::strtoull(arguments[i] + 7, nullptr, 10);
    } else if (std::strncmp(arguments[i], "--runs=", 7) == 0) {
      run_count = std::strtoull(arguments[i] + 7, nullptr, 10);
    } else {
      std::fprintf(stderr, "unknown: %s\n", arguments[i]);
      std::exit(2);
    }
  }
}

// Many bytes alike or few that differ, so that a target sees plain sailing and storms.
std::vector<uint8_t> MakeInput() {
  ebs::SeededRandom random(seed);
  std::vector<uint8_t> input(random.Below(random.Below(4) == 0 ? 2000 : 200));
  random.Fill(input);
  size_t keep = random.Below(5);
  for (uint8_t& byte : input) {
    if (random.Below(4) > keep) byte = 0;
  }
  return input;
}

}  // namespace

int main(int argument_count, char** arguments) {
  ReadArguments(argument_count, arguments);
  __sanitizer_set_death_callback(TellSeed);
  // SIGILL is what a check of ours ends with, SIGABRT an assertion.
  for (int number : {SIGALRM, SIGILL, SIGABRT}) signal(number, OnSignal);
  for (uint64_t last = seed + run_count; seed < last; seed++) {
    std::vector<uint8_t> input = MakeInput();
    alarm(kSecondsMax);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  alarm(0);
  return 0;
}
