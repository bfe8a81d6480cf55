// The products of panel_tile.inl for tokens in pairs, where the instruction is one of matrices (usmmla): the sums of
// two rows and two tokens, over eight columns, are one vector
//
//   row 0 token 0, row 0 token 1, row 1 token 0, row 1 token 1
//
// so eight columns of two rows are put side by side once for all tokens, and the float sums stay in that order until
// 256 columns are complete. The order of summation is panel_tile.inl's, so the bits are the same.
//
// Activations of a pair lie side by side, eight columns of each in turn (quantize.inl); the last token of an odd number
// lies alone and is multiplied as both tokens of a pair.

/// Eight columns of two rows from four each of rows 0 .. 3: rows 0 and 1, or rows 2 and 3.
struct RowPairs {
  vbytes low, high;
  RowPairs(vbytes first, vbytes second) {
    const uint32x4_t a = vreinterpretq_u32_u8(first), b = vreinterpretq_u32_u8(second);
    low = vreinterpretq_u8_u32(vzip1q_u32(a, b));
    high = vreinterpretq_u8_u32(vzip2q_u32(a, b));
  }
};

/// Eight activations of tokens 2 p and 2 p + 1 of N. x: of the group and these columns in pair 0.
template <int kGroup, int N>
inline vbytes load_pair(const uint8_t* x, int p) {
  if (2 * p + 1 < N) return vld1q_u8(x + 2 * kGroup * p);
  uint64_t eight;
  __builtin_memcpy(&eight, x + 2 * kGroup * p, sizeof eight);
  return vreinterpretq_u8_u64(vdupq_n_u64(eight));
}
/// One number of each of them, for both rows.
template <int N>
inline vf load_numbers(const uint8_t* numbers, int p) {
  if (2 * p + 1 == N) return bits_to_float(splat(load_int(numbers + 8 * p)));
  uint64_t two;
  __builtin_memcpy(&two, numbers + 8 * p, sizeof two);
  return vreinterpretq_f32_u64(vdupq_n_u64(two));
}

/// Integer sums of a group, [pair][rows 0 and 1, rows 2 and 3].
template <class C, int N>
[[gnu::always_inline]] inline void pair_group(const uint8_t* lines, const uint8_t* x, size_t ahead,
                                              int32x4_t (&dot)[(N + 1) / 2][2]) {
  constexpr int kPairs = (N + 1) / 2;
#pragma GCC unroll 8
  for (int p = 0; p < kPairs; ++p) {
    dot[p][0] = dot[p][1] = reinterpret_cast<int32x4_t>(load_numbers<N>(x + C::kGroup * N, p));
  }
#pragma GCC unroll 4
  for (int s = 0; s < C::kGroup / 4; s += 2) {
    const RowPairs w(C::step(lines, s), C::step(lines, s + 1));
#pragma GCC unroll 8
    for (int p = 0; p < kPairs; ++p) {
      // Eight columns are 16 bytes of a pair, 8 of a token alone.
      const vbytes both = load_pair<C::kGroup, N>(x + (2 * p + 1 < N ? 8 : 4) * s, p);
      dot[p][0] = Dot<C::kBits>::pair_step(dot[p][0], w.low, both);
      dot[p][1] = Dot<C::kBits>::pair_step(dot[p][1], w.high, both);
    }
  }
#pragma GCC unroll 8
  for (int l = 0; l < C::kBytes; l += 64) __builtin_prefetch(lines + ahead + l);
}

/// sum += (dot - start) * scale + sum of q * minimum, pair by pair. scale, min: of rows 0 .. 3.
template <class C, int N>
[[gnu::always_inline]] inline void add_group(const int32x4_t (&dot)[(N + 1) / 2][2], const uint8_t* numbers, vf scale,
                                             vf min, vf (&sum)[(N + 1) / 2][2]) {
  const vf scales[2] = {vzip1q_f32(scale, scale), vzip2q_f32(scale, scale)};
  const vf mins[2] = {vzip1q_f32(min, min), vzip2q_f32(min, min)};
#pragma GCC unroll 8
  for (int p = 0; p < (N + 1) / 2; ++p) {
    const vf start = load_numbers<N>(numbers + 4 * N, p);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) sum[p][h] = fma(bits_to_float(dot[p][h]) - start, scales[h], sum[p][h]);
    if constexpr (C::kHasMin) {
      const vf q = load_numbers<N>(numbers + 8 * N, p);
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) sum[p][h] = fma(mins[h], q, sum[p][h]);
    }
  }
}

/// Rows [row, row + P * kLanes) of a panel x N tokens.
template <class C, int N, int P>
void pair_rows(const PanelTileArgs& a, int row) {
  constexpr int kPairs = (N + 1) / 2;
  const uint8_t *w = a.w, *x = a.x;
  for (uint32_t k = 0; k < a.k; k += kSuperBlock) {
    const uint32_t end = a.k - k < kSuperBlock ? a.k - k : kSuperBlock;
    const uint8_t* factors = x;
    x += 4 * N;
    vf sum[P][kPairs][2] = {};
    for (uint32_t b = 0; b < end; b += C::kBlock) {
      const uint8_t* header = w;
      __builtin_prefetch(header + a.ahead);
      w += C::kHeader;
#pragma GCC unroll 1
      for (uint32_t g = 0; g < C::kBlock / C::kGroup; ++g, w += C::kBytes, x += (C::kGroup + 12) * N) {
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
          const int r = row + p * kLanes;
          int32x4_t dot[kPairs][2];
          pair_group<C, N>(w + 4 * r, x, a.ahead, dot);
          const vf scale = C::scale(header, static_cast<int>(g), r), min = C::min(header, static_cast<int>(g), r);
          add_group<C, N>(dot, x + C::kGroup * N, scale, min, sum[p]);
        }
      }
    }
    const bool first = a.first && k == 0;
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 16
      for (int t = 0; t < N; ++t) {
        const vf low = sum[p][t / 2][0], high = sum[p][t / 2][1];
        const vf rows = t % 2 == 0 ? vuzp1q_f32(low, high) : vuzp2q_f32(low, high);
        float* c = a.c + static_cast<size_t>(t) * a.ldc + row + p * kLanes;
        store(c, fma(rows, splat(load_float(factors + 4 * t)), first ? vf{} : load(c)));
      }
    }
  }
}

template <class C, int N>
void pair_tile(const PanelTileArgs& a) {
  constexpr int kAtOnce = N <= 2 ? kParts : 1;  // as panel_tile()
  for (int row = 0; row < static_cast<int>(kPanelRows); row += kAtOnce * kLanes) pair_rows<C, N, kAtOnce>(a, row);
}
