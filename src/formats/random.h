// Random bits for random weights (tern synth, tests). SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom
// number generators", OOPSLA 2014. Nothing here takes part in sampling tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tern::formats {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// Fills n bytes.
  void fill(std::byte* out, size_t n) {
    for (; n >= 8; n -= 8, out += 8) {
      const uint64_t bits = next();
      std::memcpy(out, &bits, 8);
    }
    const uint64_t bits = n ? next() : 0;
    std::memcpy(out, &bits, n);
  }

  /// Uniform in [-1, 1); its standard deviation is 1 / sqrt(3).
  float uniform() { return static_cast<float>(static_cast<int64_t>(next()) >> 40) * 0x1p-23f; }

  /// x or -x. A scale of random sign gives codes of non-zero mean (-8..7) weights of zero mean.
  float either_sign(float x) { return next() >> 63 ? -x : x; }

 private:
  uint64_t state_;
};

}  // namespace tern::formats
