// y = x W^T in f32, weights decoded on the fly.
//
// A tile of kRows weight rows is decoded kChunk columns at a time to f32 (32 KiB: it stays in L1) and multiplied with
// every token before the next chunk. The sum of a row and a token lives in one vector: lane l adds up the columns
// k = l mod kLanes in ascending order, whatever the number of rows and tokens; the lanes are added up at the end. The
// vectors of all pairs of a tile are kept in `sums` between chunks.
//
// Work per decoded vector: about 7 instructions to decode, 1 store, then kTileTokens FMAs per load.

constexpr uint32_t kRows = 16;
constexpr uint32_t kTokens = 64;  // per block: 16 x 64 sums are 64 KiB (AVX-512), and decoding is 1/10 of the work

size_t linear_scratch() {
  return kRows * kChunk + kRows * kTokens * kLanes;
}

/// sums[t][r] += w[r] . x[t] over n columns. w: [MR][kChunk], zeros from n on; sums: kRows vectors between tokens.
template <int MR, int NR>
void multiply(const float* w, const float* const* x, uint32_t k0, uint32_t n, float* sums) {
  vf sum[MR][NR], xs[NR];
  const float* row[NR];
  // Every loop over the tile is unrolled, or the compiler keeps the tile in memory.
#pragma GCC unroll 16
  for (int t = 0; t < NR; ++t) {
    row[t] = x[t] + k0;
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) sum[r][t] = load(sums + (t * kRows + r) * kLanes);
  }
  const auto multiply_step = [&](uint32_t i) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
      const vf ws = load(w + r * kChunk + i);
#pragma GCC unroll 16
      for (int t = 0; t < NR; ++t) sum[r][t] = fma(ws, xs[t], sum[r][t]);
    }
  };
  uint32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma GCC unroll 16
    for (int t = 0; t < NR; ++t) xs[t] = load(row[t] + i);
    multiply_step(i);
  }
  if (i < n) {
#pragma GCC unroll 16
    for (int t = 0; t < NR; ++t) xs[t] = load_part(row[t] + i, n - i);
    multiply_step(i);
  }
#pragma GCC unroll 16
  for (int t = 0; t < NR; ++t) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) store(sums + (t * kRows + r) * kLanes, sum[r][t]);
  }
}

/// Rows [0, n_rows) against tokens [0, NR): as many accumulators at a time as there are registers for.
template <int NR>
void multiply_rows(const float* w, uint32_t n_rows, const float* const* x, uint32_t k0, uint32_t n, float* sums) {
  // With few tokens more rows, so that there are enough independent sums to hide the latency of FMA.
  constexpr int MR = NR == 1 ? 2 * kTileRows : kTileRows;
  uint32_t r = 0;
  for (; r + MR <= n_rows; r += MR) multiply<MR, NR>(w + r * kChunk, x, k0, n, sums + r * kLanes);
  for (; r < n_rows; ++r) multiply<1, NR>(w + r * kChunk, x, k0, n, sums + r * kLanes);
}

/// Rows against tokens [0, m), kTileTokens at a time.
template <int NR = kTileTokens>
void multiply_tile(const float* w, uint32_t n_rows, const float* const* x, uint32_t m, uint32_t k0, uint32_t n,
                   float* sums) {
  uint32_t t = 0;
  for (; t + NR <= m; t += NR) multiply_rows<NR>(w, n_rows, x + t, k0, n, sums + t * kRows * kLanes);
  if constexpr (NR > 1) {
    if (t < m) multiply_tile<NR - 1>(w, n_rows, x + t, m - t, k0, n, sums + t * kRows * kLanes);
  }
}

/// From the sums of a tile to y: lanes added up, then bias, then residual; or the GLU of its first and second half.
void finish_tile(const LinearArgs& a, uint32_t t0, uint32_t m, uint32_t r0, uint32_t n_rows, const float* sums) {
  float values[kRows];
  for (uint32_t t = 0; t < m; ++t) {
    for (uint32_t r = 0; r < n_rows; ++r) values[r] = sum_lanes(load(sums + (t * kRows + r) * kLanes));
    const uint32_t column = a.y0 + r0;
    float* y = a.y[t0 + t] + column;
    if (a.w_up) {
      glu(a.activation, values, values + n_rows / 2, n_rows / 2, y);
      continue;
    }
    for (uint32_t r = 0; r < n_rows; ++r) {
      float value = values[r];
      if (a.bias) value += a.bias[column + r];
      if (a.residual) value += a.residual[t0 + t][column + r];
      y[r] = value;
    }
  }
}

/// Asks for the bytes of columns [k0, k0 + kChunk) of a row.
inline void prefetch(const std::byte* row, uint64_t row_bytes, uint32_t k0, uint32_t k) {
  const uint64_t begin = row_bytes * k0 / k, end = row_bytes * (k - k0 < kChunk ? k : k0 + kChunk) / k;
  for (uint64_t at = begin; at < end; at += 64) __builtin_prefetch(row + at);
}

void linear(const LinearArgs& a) {
  float* w = a.scratch;                      // [kRows][kChunk]
  float* sums = a.scratch + kRows * kChunk;  // [kTokens][kRows] vectors
  const uint32_t tile = a.w_up ? kRows / 2 : kRows;
  for (uint32_t t0 = 0; t0 < a.m; t0 += kTokens) {
    const uint32_t m = a.m - t0 < kTokens ? a.m - t0 : kTokens;
    for (uint32_t r0 = 0; r0 < a.n_rows; r0 += tile) {
      const uint32_t single = a.n_rows - r0 < tile ? a.n_rows - r0 : tile;
      const uint32_t n_rows = a.w_up ? 2 * single : single;
      for (uint32_t r = 0; r < n_rows; ++r) {
        for (uint32_t t = 0; t < m; ++t) store(sums + (t * kRows + r) * kLanes, vf{});
      }
      for (uint32_t k0 = 0; k0 < a.k; k0 += kChunk) {
        const uint32_t n = a.k - k0 < kChunk ? a.k - k0 : kChunk;
        for (uint32_t r = 0; r < n_rows; ++r) {
          const std::byte* base = r < single ? a.w : a.w_up;
          const std::byte* row = base + (r0 + r % single) * a.row_bytes;
          a.decode(a.format, row, k0, n, w + r * kChunk);
          // A tile reads pieces of many rows, which the hardware does not foresee: without this, streaming from memory
          // is 1.4 times (Q4_0) to 1.8 times (F16) slower.
          if (k0 + kChunk < a.k) {
            prefetch(row, a.row_bytes, k0 + kChunk, a.k);
          } else if (r0 + tile + r % single < a.n_rows) {
            prefetch(row + tile * a.row_bytes, a.row_bytes, 0, a.k);
          }
        }
        multiply_tile(w, n_rows, a.x + t0, m, k0, n, sums);
      }
      finish_tile(a, t0, m, r0, n_rows, sums);
    }
  }
}
