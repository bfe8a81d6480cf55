// c[t, r] += sum over k of w[r, k] * x[t, k] in bf16 with sums in f32 (vdpbf16ps): 16 rows x n tokens. Activations of a
// tile: per 32 columns n x 32 bf16. Each sum adds up pairs of columns in ascending order, whatever n is.
//
// Zen 4 does one vdpbf16ps a cycle and Zen 5 two, twice as many products as by FMA. Intel's servers (Emerald Rapids: 95
// GFLOP/s a core) do one in two cycles, half as many as by FMA, so there halves are multiplied in f32
// (panel_halves.inl).

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

/// The same for two panels, whose lines lie in turn (interleave_lines), and many tokens. A broadcast of two activations
/// serves both panels: with a load for every product, loads (two a cycle) were the limit on Zen 5.
template <int N>
[[gnu::target("avx512bf16")]] void bf16_wide_tile(const PanelTileArgs& a) {
  __m512 sum[2][N];
  const auto c = [&](int p, int t) { return a.c + static_cast<size_t>(t) * a.ldc + static_cast<size_t>(p) * a.second; };
#pragma GCC unroll 2
  for (int p = 0; p < 2; ++p) {
#pragma GCC unroll 16
    for (int t = 0; t < N; ++t) sum[p][t] = a.first ? _mm512_setzero_ps() : _mm512_loadu_ps(c(p, t));
  }
  const uint8_t *w = a.w, *x = a.x, *next = a.next;
  for (uint32_t k = 0; k < a.k; k += 32, x += 64 * (N - 1), next += 64 * N) {
    for (int t = 0; t < N; ++t) __builtin_prefetch(next + 64 * t);
#pragma GCC unroll 1
    for (int round = 0; round < 8; ++round, w += 256, x += 8) {
#pragma GCC unroll 2
      for (int s = 0; s < 2; ++s) {
        const auto first = (__m512bh)_mm512_load_si512(w + 128 * s);
        const auto second = (__m512bh)_mm512_load_si512(w + 128 * s + 64);
#pragma GCC unroll 16
        for (int t = 0; t < N; ++t) {
          int32_t two;
          __builtin_memcpy(&two, x + 64 * t + 4 * s, sizeof two);
          const auto pair = (__m512bh)_mm512_set1_epi32(two);
          sum[0][t] = _mm512_dpbf16_ps(sum[0][t], first, pair);
          sum[1][t] = _mm512_dpbf16_ps(sum[1][t], second, pair);
        }
      }
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < 2; ++p) {
#pragma GCC unroll 16
    for (int t = 0; t < N; ++t) _mm512_storeu_ps(c(p, t), sum[p][t]);
  }
}

/// `columns` columns of panels a and b.
inline void interleave_lines(const uint8_t* a, const uint8_t* b, uint32_t columns, uint32_t ahead, uint8_t* out) {
  for (uint32_t line = 0; line < columns / 2; ++line, a += 64, b += 64, out += 128) {
    __builtin_prefetch(a + ahead);
    __builtin_prefetch(b + ahead);
    _mm512_store_si512(out, _mm512_load_si512(a));
    _mm512_store_si512(out + 64, _mm512_load_si512(b));
  }
}

constexpr uint32_t kBf16Columns = 256;  // at a time: of two panels 16 KiB
static_assert(kBf16Columns * 64 <= kWideBytes);

template <int... N>
constexpr PanelKernel make_bf16_kernel(std::integer_sequence<int, N...>) {
  return {ActivationType::kBf16,
          0,
          0,
          0,
          kBf16Tile,
          {nullptr, bf16_tile<N + 1>...},
          {kBf16Tile, kBf16Columns, interleave_lines, {nullptr, bf16_wide_tile<N + 1>...}}};
}
constexpr PanelKernel kBf16Kernel = make_bf16_kernel(std::make_integer_sequence<int, kBf16Tile>());

/// Null where the CPU cannot, or is no faster by it.
inline const PanelKernel* bf16_kernel() {
  const bool is_faster = __builtin_cpu_supports("avx512bf16") && !__builtin_cpu_is("intel");
  return is_faster ? &kBf16Kernel : nullptr;
}

/// iterations * 16 dot products of pairs; gives the number of operations done.
[[gnu::target("avx512bf16")]] inline double multiply_bf16(uint32_t iterations, float* result) {
  __m512 sums[16];  // in registers: every loop over them is unrolled
#pragma GCC unroll 16
  for (int s = 0; s < 16; ++s) sums[s] = _mm512_set1_ps(static_cast<float>(s));
  __m512i pairs = _mm512_set1_epi32(0x3c003c00);
  for (uint32_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 16
    for (int s = 0; s < 16; ++s) sums[s] = _mm512_dpbf16_ps(sums[s], (__m512bh)pairs, (__m512bh)pairs);
    asm volatile("" : "+v"(pairs));  // or the products would be done once
  }
#pragma GCC unroll 16
  for (int s = 1; s < 16; ++s) sums[0] = _mm512_add_ps(sums[0], sums[s]);
  *result = _mm512_cvtss_f32(sums[0]);
  return 16.0 * 64 * iterations;
}
inline double peak_bf16(uint32_t iterations, float* result) {
  return bf16_kernel() ? multiply_bf16(iterations, result) : 0;
}
