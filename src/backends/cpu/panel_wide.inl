// The products of panel_tile.inl for many tokens: 32 rows x kWideTile tokens. Two panels are unpacked once, to the
// bytes that all tiles of tokens multiply, so that the vector ports are left with 8 dot products, a subtraction and a
// product-sum per group of 32 columns and token: at most 80% of the peak on an Intel server. Each broadcast of four
// activations serves two panels: with one, loads (two a cycle) were as busy as the ports.
//
// Unpacked, per group:  2 x 16 f32 scales (, 2 x 16 f32 minimums), per 4 columns 2 x 64 bytes
//
// A tile's steps stay rolled, two at a time: unrolled, compilers take the products in an order of their own (Zen 5,
// from L1: 85% of the peak rolled, 71% unrolled). The activations of 512 tokens lie in L2, where hardware does not
// follow from tile to tile: each tile asks for the next one's (2048 rows of 8192 columns: 63 to 75% of the peak, bf16
// 63 to 87%).
//
// The order of summation is panel_tile.inl's, so the bits are the same.

constexpr uint32_t kWideColumns = 512;  // at a time: two panels of them are 18 to 24 KiB, half of the L1 cache

template <class C>
constexpr uint32_t wide_group_bytes() {
  return 2 * (64 * (C::kHasMin ? 2 : 1) + 16 * C::kGroup);
}

/// Columns of panels a and b, whole blocks.
template <class C>
void unpack_wide(const uint8_t* a, const uint8_t* b, uint32_t columns, uint32_t ahead, uint8_t* out) {
  constexpr uint32_t kLines = 64 * (C::kHasMin ? 4 : 2), kBlockBytes = C::kHeader + C::kBlock / C::kGroup * C::kBytes;
  for (uint32_t k = 0; k < columns; k += C::kBlock, a += kBlockBytes, b += kBlockBytes) {
    for (uint32_t g = 0; g < C::kBlock / C::kGroup; ++g, out += wide_group_bytes<C>()) {
#pragma GCC unroll 2
      for (int p = 0; p < 2; ++p) {
        const uint8_t* header = p == 0 ? a : b;
        const uint8_t* lines = header + C::kHeader + g * C::kBytes;
        store(reinterpret_cast<float*>(out) + 16 * p, C::scale(header, static_cast<int>(g), 0));
        if constexpr (C::kHasMin) {
          store(reinterpret_cast<float*>(out) + 32 + 16 * p, C::min(header, static_cast<int>(g), 0));
        }
#pragma GCC unroll 8
        for (int s = 0; s < C::kGroup / 4; ++s) {
          const vbytes bytes = C::step(lines, s);
          __builtin_memcpy(out + kLines + 128 * s + 64 * p, &bytes, sizeof bytes);
        }
        for (int l = 0; l < C::kBytes; l += 64) __builtin_prefetch(lines + ahead + l);
      }
    }
  }
}

/// Asks for the sums of a tile, to which it will add.
template <int N>
inline void prefetch_sums(const PanelTileArgs& a) {
  if (a.first) return;
  for (int t = 0; t < N; ++t) {
    __builtin_prefetch(a.c + static_cast<size_t>(t) * a.ldc);
    __builtin_prefetch(a.c + static_cast<size_t>(t) * a.ldc + a.second);
  }
}

template <class C, int N>
void wide_tile(const PanelTileArgs& a) {
  using D = Dot<C::kBits>;
  constexpr uint32_t kLines = 64 * (C::kHasMin ? 4 : 2);
  constexpr int kStep = (C::kGroup + 12) * N;
  prefetch_sums<N>(a);
  const uint8_t *w = a.w, *x = a.x, *next = a.next;
  for (uint32_t k = 0; k < a.k; k += kSuperBlock) {
    const uint32_t end = a.k - k < kSuperBlock ? a.k - k : kSuperBlock;
    const uint8_t* factors = x;
    x += 4 * N;
    vf sum[2][N] = {};
#pragma GCC unroll 1
    for (uint32_t g = 0; g < end; g += C::kGroup, w += wide_group_bytes<C>(), x += kStep, next += kStep) {
      const uint8_t* numbers = x + C::kGroup * N;
      for (int l = 0; l < kStep; l += 64) __builtin_prefetch(next + l);
      typename D::Sum dot[2][N];
#pragma GCC unroll 8
      for (int t = 0; t < N; ++t) dot[0][t] = dot[1][t] = D::start(load_int(numbers + 4 * t));
      const uint8_t *lines = w + kLines, *four = x;
#pragma GCC unroll 1
      for (int round = 0; round < C::kGroup / 8; ++round, lines += 256, four += 8) {
#pragma GCC unroll 2
        for (int s = 0; s < 2; ++s) {
          const vbytes first = to_bytes(load_line(lines + 128 * s)), second = to_bytes(load_line(lines + 128 * s + 64));
#pragma GCC unroll 8
          for (int t = 0; t < N; ++t) {
            const uint8_t* mine = four + C::kGroup * t;  // one broadcast for both
            dot[0][t] = D::step(dot[0][t], first, mine, s);
            dot[1][t] = D::step(dot[1][t], second, mine, s);
          }
        }
      }
#pragma GCC unroll 2
      for (int p = 0; p < 2; ++p) {
        const vf scale = load(reinterpret_cast<const float*>(w) + 16 * p);
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) {
          const vf product = bits_to_float(dot[p][t]) - splat(load_float(numbers + 4 * N + 4 * t));
          sum[p][t] = fma(product, scale, sum[p][t]);
        }
        if constexpr (C::kHasMin) {
          const vf min = load(reinterpret_cast<const float*>(w) + 32 + 16 * p);
#pragma GCC unroll 8
          for (int t = 0; t < N; ++t) {
            sum[p][t] = fma(min, splat(load_float(numbers + 8 * N + 4 * t)), sum[p][t]);
          }
        }
      }
    }
    const bool first = a.first && k == 0;
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
#pragma GCC unroll 8
      for (int t = 0; t < N; ++t) {
        float* c = a.c + static_cast<size_t>(t) * a.ldc + static_cast<size_t>(p) * a.second;
        store(c, fma(sum[p][t], splat(load_float(factors + 4 * t)), first ? vf{} : load(c)));
      }
    }
  }
}

template <class C, int... N>
constexpr WideKernel make_wide_kernel(std::integer_sequence<int, N...>) {
  static_assert(kWideColumns / C::kGroup * wide_group_bytes<C>() <= kWideBytes && kWideColumns % C::kBlock == 0);
  return {kWideTile, kWideColumns, unpack_wide<C>, {nullptr, wide_tile<C, N + 1>...}};
}
template <class C>
constexpr WideKernel wide_kernel() {
  if constexpr (kWideTile > 0) return make_wide_kernel<C>(std::make_integer_sequence<int, kWideTile>());
  return {};
}
