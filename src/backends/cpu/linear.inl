// y = x W^T in f32, weights decoded on the fly.
//
// With one token, weights go from the codec straight into the sums, four rows at a time. Else:
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

/// sums[r] = rows[r] . x, a vector each: the same order as multiply(). R rows side by side hide the latency of FMA.
template <class Codec, int R>
void dot_rows(const DotArgs& a, const std::byte* const* rows, float* sums) {
  vf sum[R] = {};
  for (uint32_t k0 = 0; k0 < a.k; k0 += kChunk) {
    const uint32_t n = a.k - k0 < kChunk ? a.k - k0 : kChunk;
    const float* x = a.x + k0;
    const uint8_t* b[R];
    typename Codec::Scales scales[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      b[r] = column<Codec>(rows[r], k0);
      scales[r].read(rows[r], b[r], n);
      if (a.ahead > 0) prefetch(rows[r] + a.ahead, a.row_bytes, k0, a.k);
    }
    uint32_t i = 0;
    for (; i + Codec::kBlock <= n; i += Codec::kBlock) {
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        Codec::block(b[r], scales[r], i / Codec::kBlock, [&](uint32_t j, vf w) __attribute__((always_inline)) {
          sum[r] = fma(w, load(x + i + j), sum[r]);
        });
        b[r] += Codec::kBytes;
      }
    }
    if (i < n) {
      const vf last = load_part(x + i, n - i);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        Codec::block(LastBlock<Codec>(b[r], n - i).bytes, scales[r], i / Codec::kBlock,
                     [&](uint32_t, vf w) __attribute__((always_inline)) { sum[r] = fma(w, last, sum[r]); });
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) store(sums + r * kLanes, sum[r]);
}

template <class Codec>
void dot(const DotArgs& a, float* sums) {
  uint32_t r = 0;
  for (; r + 4 <= a.n_rows; r += 4) dot_rows<Codec, 4>(a, a.rows + r, sums + r * kLanes);
  for (; r < a.n_rows; ++r) dot_rows<Codec, 1>(a, a.rows + r, sums + r * kLanes);
}

template <class Codec>
constexpr FormatKernels kKernelsOf = {decode<Codec>, dot<Codec>};

FormatKernels format_kernels(Format format) {
  switch (format) {
    case Format::kF32:
      return kKernelsOf<F32>;
    case Format::kF16:
      return kKernelsOf<F16>;
    case Format::kBF16:
      return kKernelsOf<BF16>;
    case Format::kINT8:
      return kKernelsOf<INT8>;
    case Format::kQ4_0:
      return kKernelsOf<Q4_0>;
    case Format::kQ4_1:
      return kKernelsOf<Q4_1>;
    case Format::kQ8_0:
      return kKernelsOf<Q8_0>;
    case Format::kQ4_K:
      return kKernelsOf<Q4_K>;
    case Format::kQ5_K:
      return kKernelsOf<Q5_K>;
    case Format::kQ6_K:
      return kKernelsOf<Q6_K>;
    default:
      return {decode_by_truth, nullptr};
  }
}

/// sums[t][r] of a tile: rows of W, decoded chunk by chunk, against tokens [0, m). `ahead` bytes further on lie the
/// rows of the next tile, or 0. w: [kRows][kChunk] of scratch.
void sum_tile(const LinearArgs& a, const std::byte* const* rows, uint32_t n_rows, const float* const* x, uint32_t m,
              uint64_t ahead, float* w, float* sums) {
  for (uint32_t i = 0; i < kRows * m; ++i) store(sums + i * kLanes, vf{});
  for (uint32_t k0 = 0; k0 < a.k; k0 += kChunk) {
    const uint32_t n = a.k - k0 < kChunk ? a.k - k0 : kChunk;
    for (uint32_t r = 0; r < n_rows; ++r) {
      a.kernels.decode(a.format, rows[r], k0, n, w + r * kChunk);
      // A tile reads pieces of many rows, which the hardware does not foresee.
      if (k0 + kChunk < a.k) {
        prefetch(rows[r], a.row_bytes, k0 + kChunk, a.k);
      } else if (ahead > 0) {
        prefetch(rows[r] + ahead, a.row_bytes, 0, a.k);
      }
    }
    multiply_tile(w, n_rows, x, m, k0, n, sums);
  }
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
      const std::byte* rows[kRows];
      for (uint32_t r = 0; r < n_rows; ++r) {
        rows[r] = (r < single ? a.w : a.w_up) + (r0 + r % single) * a.row_bytes;
      }
      const uint64_t ahead = r0 + 2 * tile <= a.n_rows ? tile * a.row_bytes : 0;
      if (a.m == 1 && a.kernels.dot) {
        a.kernels.dot({rows, n_rows, a.row_bytes, ahead, a.x[0], a.k}, sums);
      } else {
        sum_tile(a, rows, n_rows, a.x + t0, m, ahead, w, sums);
      }
      finish_tile(a, t0, m, r0, n_rows, sums);
    }
  }
}
