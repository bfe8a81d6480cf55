// c[t, r] += sum over k of w[r, k] * x[t, k] in bf16 with sums in f32 (vdpbf16ps): 16 rows x n tokens. Activations of a
// tile: per 32 columns n x 32 bf16. Each sum adds up pairs of columns in ascending order, whatever n is.
//
// Zen 4 does one vdpbf16ps a cycle, twice as many products as by FMA. Intel's servers (Emerald Rapids: 95 GFLOP/s a
// core) do one in two cycles, half as many as by FMA, so there halves are multiplied in f32 (panel_halves.inl).

constexpr int kBf16Tile = 12;

template <int N>
[[gnu::target("avx512bf16")]] void bf16_tile(const PanelTileArgs& a) {
  __m512 sum[N];
#pragma GCC unroll 16
  for (int t = 0; t < N; ++t) {
    sum[t] = a.first ? _mm512_setzero_ps() : _mm512_loadu_ps(a.c + static_cast<size_t>(t) * a.ldc);
  }
  const uint8_t *w = a.w, *x = a.x;
  for (uint32_t k = 0; k < a.k; k += 32, x += 64 * (N - 1)) {
#pragma GCC unroll 1
    for (int round = 0; round < 4; ++round, w += 256, x += 16) {
#pragma GCC unroll 4
      for (int s = 0; s < 4; ++s) {
        __builtin_prefetch(w + a.ahead + 64 * s);
        const auto pairs = (__m512bh)_mm512_load_si512(w + 64 * s);
#pragma GCC unroll 16
        for (int t = 0; t < N; ++t) {
          int32_t two;
          __builtin_memcpy(&two, x + 64 * t + 4 * s, sizeof two);
          sum[t] = _mm512_dpbf16_ps(sum[t], pairs, (__m512bh)_mm512_set1_epi32(two));
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < N; ++t) _mm512_storeu_ps(a.c + static_cast<size_t>(t) * a.ldc, sum[t]);
}

template <int... N>
constexpr PanelKernel make_bf16_kernel(std::integer_sequence<int, N...>) {
  return {ActivationType::kBf16, 0, 0, 0, kBf16Tile, {nullptr, bf16_tile<N + 1>...}};
}
constexpr PanelKernel kBf16Kernel = make_bf16_kernel(std::make_integer_sequence<int, kBf16Tile>());

/// Null where the CPU cannot, or is no faster by it.
inline const PanelKernel* bf16_kernel() {
  const bool is_faster = __builtin_cpu_supports("avx512bf16") && !__builtin_cpu_is("intel");
  return is_faster ? &kBf16Kernel : nullptr;
}
