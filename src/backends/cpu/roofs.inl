// What the machine can do at most: nothing but FMAs from registers, and nothing but reads.

constexpr int kPeakSums = 2 * kTileRows * kTileTokens <= 16 ? 8 : 16;  // enough to hide the latency, few enough to fit

/// iterations * kPeakSums vectors of FMAs; gives the number of operations done, an FMA being two.
double peak(uint32_t iterations, float x, float* result) {
  vf sums[kPeakSums];  // all different, or the compiler computes one for all
  for (int s = 0; s < kPeakSums; ++s) sums[s] = splat(x * static_cast<float>(s));
  const vf w = splat(x);
  for (uint32_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 16
    for (int s = 0; s < kPeakSums; ++s) sums[s] = fma(w, w, sums[s]);
  }
  for (int s = 1; s < kPeakSums; ++s) sums[0] = sums[0] + sums[s];
  *result = sum_lanes(sums[0]);
  return 2.0 * kPeakSums * kLanes * iterations;
}

/// iterations * kPeakSums vectors of int8 dot products of 4, or of 8 where tokens go in pairs; gives the number of
/// operations done.
template <class D>
double peak_of(uint32_t iterations, float* result) {
  uint8_t x[4 * kPeakSums];         // a step each
  typename D::Sum sums[kPeakSums];  // in registers: every loop over them is unrolled
#pragma GCC unroll 16
  for (int s = 0; s < kPeakSums; ++s) sums[s] = D::start(s);
  for (int i = 0; i < 4 * kPeakSums; ++i) x[i] = static_cast<uint8_t>(i);
  const vbytes w = reinterpret_cast<vbytes>(splat(0x01020304));
  for (uint32_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 16
    for (int s = 0; s < kPeakSums; ++s) {
      if constexpr (kTokenPairs) {
        sums[s] = D::pair_step(sums[s], w, w);
      } else {
        sums[s] = D::step(sums[s], w, x, s);
      }
    }
    asm volatile("" : : "r"(x) : "memory");  // or one product would do for all iterations
  }
  vi total{};
#pragma GCC unroll 16
  for (int s = 0; s < kPeakSums; ++s) total = total + D::finish(sums[s], 0);
  *result = static_cast<float>(total[0]);
  return (kTokenPairs ? 16.0 : 8.0) * kPeakSums * kLanes * iterations;
}
double peak_int8(uint32_t iterations, float* result) {
  return peak_of<Dot<4>>(iterations, result);
}

/// Reads `bytes`, a multiple of 1 KiB.
float read(const float* from, size_t bytes) {
  vf sums[8] = {};
  for (size_t i = 0; i < bytes / sizeof(float); i += 8 * kLanes) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) sums[s] = sums[s] + load(from + i + s * kLanes);
  }
  for (int s = 1; s < 8; ++s) sums[0] = sums[0] + sums[s];
  return sum_lanes(sums[0]);
}
