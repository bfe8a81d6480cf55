// out[t, r] = sum over 256 columns: S[t] * sum over groups: scale[r] * dot(codes[r], q[t]) + min[r] * sum of q[t]
// for 16 rows and n tokens, where dot is of integers; what S, q and the starts of sums are: quantize.inl.
//
// The order of summation of a row and a token never depends on n: groups in ascending order into a sum of 256 columns,
// these in ascending order into the total.
//
// Per group of 32 and token there are 8 dot products of 4, a subtraction and a product-sum, of which the two vector
// ports of an Intel server do two a cycle: with the unpacking of nibbles, shared by 12 tokens, at most 72% of the peak;
// on Zen 4, where only products share ports, 87%.
//
// Loops over groups stay rolled: the hardware prefetcher follows instructions, and one that advances by a kilobyte
// leaves its page at once (unrolled, a stream of Q4_K fell from 29 to 22 GB/s on Zen 4).

/// Integer sums of a group: P vectors of rows x N tokens. What is made of activations serves all vectors of a line.
template <class C, int N, int P>
[[gnu::always_inline]] inline void dot_group(const uint8_t* lines, const uint8_t* x, size_t ahead, vf (&out)[P][N]) {
  using D = Dot<C::kBits>;
  // Where registers are few, a round has two steps: unrolled, values of all of them are kept at once, on the stack.
  constexpr int kRounds = kShortRounds ? C::kAlike : C::kBytes > 320 ? 2 : 1;
  constexpr int kSteps = C::kGroup / 4, kPerRound = kSteps / kRounds;
  const uint8_t* numbers = x + C::kGroup * N;
  typename D::Sum sum[P][N];
#pragma GCC unroll 16
  for (int t = 0; t < N; ++t) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) sum[p][t] = D::start(load_int(numbers + 4 * t));
  }
#pragma GCC unroll 1
  for (int round = 0; round < kRounds; ++round, lines += C::kBytes / kRounds, x += 4 * kPerRound) {
#pragma GCC unroll 16
    for (int s = 0; s < kPerRound; ++s) {
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        const vbytes w = C::step(lines + 4 * p * kLanes, s);
#pragma GCC unroll 16
        for (int t = 0; t < N; ++t) sum[p][t] = D::step(sum[p][t], w, x + C::kGroup * t, s);
      }
    }
#pragma GCC unroll 8
    for (int l = 0; l < C::kBytes / kRounds; l += 64) __builtin_prefetch(lines + ahead + l);
  }
#pragma GCC unroll 16
  for (int t = 0; t < N; ++t) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const vi total = D::finish(sum[p][t], load_int(numbers + 4 * t));
      out[p][t] = bits_to_float(total) - splat(load_float(numbers + 4 * N + 4 * t));
    }
  }
}

/// Rows [row, row + P * kLanes) of a panel x N tokens.
template <class C, int N, int P>
void panel_rows(const PanelTileArgs& a, int row) {
  constexpr uint32_t kGroups = C::kBlock / C::kGroup;
  const uint8_t *w = a.w, *x = a.x;
  for (uint32_t k = 0; k < a.k; k += kSuperBlock) {
    const uint32_t end = a.k - k < kSuperBlock ? a.k - k : kSuperBlock;
    const uint8_t* scales = x;
    x += 4 * N;
    vf sum[P][N] = {};
    for (uint32_t b = 0; b < end; b += C::kBlock) {
      const uint8_t* header = w;
      __builtin_prefetch(header + a.ahead);
      w += C::kHeader;
#pragma GCC unroll 1
      for (uint32_t g = 0; g < kGroups; ++g, w += C::kBytes, x += (C::kGroup + 12) * N) {
        vf dot[P][N];
        dot_group<C, N, P>(w + 4 * row, x, a.ahead, dot);
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
          const int r = row + p * kLanes;
          const vf scale = C::scale(header, static_cast<int>(g), r);
#pragma GCC unroll 16
          for (int t = 0; t < N; ++t) sum[p][t] = fma(dot[p][t], scale, sum[p][t]);
          if constexpr (C::kHasMin) {
            const vf min = C::min(header, static_cast<int>(g), r);
            const uint8_t* sums = x + (C::kGroup + 8) * N;
#pragma GCC unroll 16
            for (int t = 0; t < N; ++t) sum[p][t] = fma(min, splat(load_float(sums + 4 * t)), sum[p][t]);
          }
        }
      }
    }
    const bool first = a.first && k == 0;
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
#pragma GCC unroll 16
      for (int t = 0; t < N; ++t) {
        float* c = a.c + static_cast<size_t>(t) * a.ldc + row + p * kLanes;
        store(c, fma(sum[p][t], splat(load_float(scales + 4 * t)), first ? vf{} : load(c)));
      }
    }
  }
}

/// With few tokens all vectors of a line at once: in a second pass, from L1, memory would idle.
template <class C, int N>
void panel_tile(const PanelTileArgs& a) {
  constexpr int kAtOnce = N <= 2 ? kParts : kPartsOfMany;  // kPartsOfMany: as the registers allow
  for (int row = 0; row < static_cast<int>(kPanelRows); row += kAtOnce * kLanes) panel_rows<C, N, kAtOnce>(a, row);
}

/// Of tokens in pairs, where kTokenPairs says so (panel_pairs.inl).
template <class C, int N>
void pair_tile(const PanelTileArgs& a);

template <class C, int N>
constexpr PanelTileFn tile_of() {
  if constexpr (kTokenPairs && N > 1) return pair_tile<C, N>;
  return panel_tile<C, N>;
}

template <class C, int... N>
constexpr PanelKernel make_panel_kernel(std::integer_sequence<int, N...>) {
  return {ActivationType::kInt8,
          C::kGroup,
          Dot<C::kBits>::kSigned ? 0 : C::kZero,
          Dot<C::kBits>::kComplements ? 1 : 0,
          kPanelTile,
          {nullptr, tile_of<C, N + 1>()...},
          wide_kernel<C>()};
}
template <class C>
constexpr PanelKernel kPanelKernelOf = make_panel_kernel<C>(std::make_integer_sequence<int, kPanelTile>());

/// f16 is rounded to bf16 only where that doubles the speed; else it stays in the file's layout.
const PanelKernel* panel_kernel(Format format) {
  switch (format) {
    case Format::kQ4_0:
      return &kPanelKernelOf<Scaled32<NibbleLines<4>, 8>>;
    case Format::kQ4_1:
      return &kPanelKernelOf<ScaledMin32<NibbleLines<4>>>;
    case Format::kQ5_0:
      return &kPanelKernelOf<Scaled32<FiveBitLines, 16>>;
    case Format::kQ5_1:
      return &kPanelKernelOf<ScaledMin32<FiveBitLines>>;
    case Format::kQ8_0:
      return &kPanelKernelOf<Scaled32<ByteLines, 128>>;
    case Format::kIQ4_NL:
      return &kPanelKernelOf<Scaled32<TableLines<Iq4Table>, Iq4Table::kZero>>;
    case Format::kMXFP4:
      return &kPanelKernelOf<Mxfp4Panels>;
    case Format::kAWQ:
      return &kPanelKernelOf<AwqPanels>;
    case Format::kQ4_K:
      return &kPanelKernelOf<KPanels<NibbleLines<4>>>;
    case Format::kQ5_K:
      return &kPanelKernelOf<KPanels<FiveBitLines>>;
    case Format::kQ6_K:
      return &kPanelKernelOf<SignedScales<SixBitLines, 16, 32>>;
    case Format::kQ3_K:
      return &kPanelKernelOf<SignedScales<NibbleLines<4>, 16, 4>>;
    case Format::kIQ4_XS:
      return &kPanelKernelOf<SignedScales<TableLines<Iq4Table>, 32, Iq4Table::kZero>>;
    case Format::kF16:
      return bf16_kernel();
    case Format::kBF16:
      return bf16_kernel() ? bf16_kernel() : &kHalvesKernel;
    default:
      return nullptr;
  }
}
