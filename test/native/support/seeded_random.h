#ifndef EBS_TEST_NATIVE_SUPPORT_SEEDED_RANDOM_H_
#define EBS_TEST_NATIVE_SUPPORT_SEEDED_RANDOM_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace ebs {

// The seed of this run's random tests. Each shows it when it fails: SCOPED_TRACE(TestSeed()).
inline uint64_t TestSeed() {
  const char* chosen = std::getenv("EBS_TEST_SEED");
  return chosen == nullptr ? 2024 : std::strtoull(chosen, nullptr, 10);
}

// Numbers that look random and are the same for the same seed on every machine (splitmix64).
class SeededRandom {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

  // From 0 to `limit` - 1.
  size_t Below(size_t limit) { return static_cast<size_t>(Next() % limit); }

  void Fill(std::span<uint8_t> bytes) {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(Next());
  }

 private:
  uint64_t state_;
};

}  // namespace ebs

#endif  // EBS_TEST_NATIVE_SUPPORT_SEEDED_RANDOM_H_
