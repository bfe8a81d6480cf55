// Activations, f32 -> int8, in the order in which panel_tile.inl consumes them. A tile of n tokens is one stream:
//
//   per 256 columns   n x f32 S, the scale: largest magnitude / 127
//     per group       n x group x int8 q = round(x / S * 2^e), e >= 0 the largest that keeps |q| <= 127; where
//                     kTokenPairs is set, eight of tokens 0 and 1 in turn, then of 2 and 3, ..., an odd one alone
//                     n x i32 where the integer sum starts: the bits of 1.5 * 2^(23 - e), minus zero * sum of q, plus
//                             what it lacks
//                     n x f32 1.5 * 2^(23 - e)
//                     n x f32 sum of q * 2^-e
//
// so every operand of a tile is a broadcast at a constant distance from one pointer. The sum of a group starts as the
// bits of a large float: read as a float when it is complete, it is that number plus 2^-e times the sum, exactly (sums
// stay below 2^22). So each group has the precision it needs, as if it had a scale of its own (within a factor of two),
// at the price of one subtraction, which replaces the conversion from integer to float.

constexpr uint32_t kStartBits = 0x4b400000;  // 1.5 * 2^23
constexpr int32_t kMostShift = 15;

inline vf magnitude(vf x) {
  return bits_to_float(float_to_bits(x) & 0x7fffffff);
}
inline vf larger(vf a, vf b) {
  return a > b ? a : b;
}
template <class T>
inline void put(uint8_t* p, T value) {
  __builtin_memcpy(p, &value, sizeof value);
}

/// 2^e, |e| <= kMostShift.
inline float power_of_two(int32_t e) {
  const uint32_t bits = static_cast<uint32_t>(127 + e) << 23;
  float out;
  __builtin_memcpy(&out, &bits, sizeof out);
  return out;
}

/// The largest e with magnitude * 2^e <= limit, both >= 0 and finite.
inline int32_t shift_to(float magnitude, float limit) {
  uint32_t a, b;
  __builtin_memcpy(&a, &magnitude, sizeof a);
  __builtin_memcpy(&b, &limit, sizeof b);
  // The bits of positive floats are ordered as the floats are, and mantissas likewise.
  const auto e = static_cast<int32_t>(b >> 23) - static_cast<int32_t>(a >> 23) - ((a & 0x7fffff) > (b & 0x7fffff));
  return e < 0 ? 0 : e > kMostShift ? kMostShift : e;
}

/// Where column i of token t of n lies in a group.
template <uint32_t kGroup>
inline uint32_t place_of(uint32_t i, uint32_t n, uint32_t t) {
  const bool in_pair = kTokenPairs && (t % 2 == 1 || t + 1 < n);
  return in_pair ? kGroup * (t - t % 2) + 16 * (i / 8) + 8 * (t % 2) + i % 8 : kGroup * t + i;
}

/// One group of token t of n. x: [kGroup].
template <uint32_t kGroup>
inline void quantize_group(const float* x, float inverse, int32_t e, const PanelKernel& kernel, uint32_t n, uint32_t t,
                           uint8_t* out) {
  const vf factor = splat(inverse * power_of_two(e));
  vi sum{}, negative{};
  for (uint32_t i = 0; i < kGroup; i += kLanes) {
    const vf shifted = load(x + i) * factor + splat(0x1.8p23f);  // its low bits are the rounded integer
    const vi q = float_to_bits(shifted) - static_cast<int32_t>(kStartBits);
    store_low_bytes(out + place_of<kGroup>(i, n, t), q);
    sum += q;
    if constexpr (Dot<8>::kComplements) negative -= q < 0 ? q : vi{};
  }
  const auto total = static_cast<int32_t>(sum_lanes(to_float(sum)));  // exact: below 2^13
  const uint32_t start = kStartBits - (static_cast<uint32_t>(e) << 23);
  uint8_t* numbers = out + kGroup * n + 4 * t;
  uint32_t from = start - static_cast<uint32_t>(kernel.zero) * static_cast<uint32_t>(total);
  if constexpr (Dot<8>::kComplements) {
    from += static_cast<uint32_t>(kernel.lacks) * static_cast<uint32_t>(sum_lanes(to_float(negative)));
  }
  put(numbers, from);
  put(numbers + 4 * n, start);  // the same bits as f32
  put(numbers + 8 * n, static_cast<float>(total) * power_of_two(-e));
}

/// Up to 256 columns of token t. x: zeros from the row's end on.
template <uint32_t kGroup>
inline void quantize_super(const float* x, uint32_t groups, const PanelKernel& kernel, uint32_t n, uint32_t t,
                           uint8_t* out) {
  float largest_of[kSuperBlock / kGroup];
  float largest = 0;
  vf poison{};  // NaN if any x is infinite or NaN
  for (uint32_t g = 0; g < groups; ++g) {
    vf most{};
    for (uint32_t i = 0; i < kGroup; i += 16) __builtin_prefetch(x + kSuperBlock + kGroup * g + i);
    for (uint32_t i = 0; i < kGroup; i += kLanes) {
      const vf v = load(x + kGroup * g + i);
      most = larger(magnitude(v), most);
      poison = poison + v * splat(0.0f);
    }
    largest_of[g] = largest_lane(most);
    largest = largest_of[g] > largest ? largest_of[g] : largest;
  }
  const bool is_zero = largest < 1e-30f;
  put(out + 4 * t, largest / 127 + sum_lanes(poison));
  const float inverse = is_zero ? 0 : 127 / largest;
  out += 4 * n;
  for (uint32_t g = 0; g < groups; ++g, out += (kGroup + 12) * n) {
    quantize_group<kGroup>(x + kGroup * g, inverse, shift_to(largest_of[g], largest), kernel, n, t, out);
  }
}

/// Up to 32 columns to bf16, rounded to nearest even. x: zeros from the row's end on.
inline void round_to_bf16(const float* x, uint8_t* out) {
  for (uint32_t i = 0; i < 32; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
    const uint32_t rounded = is_nan ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
    put(out + 2 * i, static_cast<uint16_t>(rounded >> 16));
  }
}

/// As they are.
inline void keep_f32(const float* x, uint8_t* out) {
  __builtin_memcpy(out, x, 32 * sizeof(float));
}

/// Columns [k0, k0 + n) of a row of k, in place or, at the row's end, copied to `spare` and followed by zeros.
inline const float* columns(const float* row, uint32_t k, uint32_t k0, uint32_t n, float* spare) {
  if (k0 + n <= k) return row + k0;
  __builtin_memset(spare, 0, n * sizeof(float));
  if (k0 < k) __builtin_memcpy(spare, row + k0, (k - k0) * sizeof(float));
  return spare;
}

/// Some tokens of a tile of n.
struct TileTokens {
  const float* const* x;  // rows of tokens [begin, end) of the tile
  uint32_t n, begin, end;
  uint8_t* out;  // of the whole tile
};

/// 256 columns of all tokens before the next ones: what they write lies side by side, and what is read next is asked
/// for (512 x 8192 on Zen 5: 0.23 ns a value instead of 0.38; groups of 16 0.31 instead of 0.43).
template <uint32_t kGroup>
void quantize_tile(const QuantizeArgs& a, const TileTokens& tile) {
  float spare[kSuperBlock];
  uint8_t* out = tile.out;
  for (uint32_t k = 0; k < a.padded_k; k += kSuperBlock) {
    const uint32_t here = a.padded_k - k < kSuperBlock ? a.padded_k - k : kSuperBlock;
    for (uint32_t t = tile.begin; t < tile.end; ++t) {
      const float* x = columns(tile.x[t - tile.begin], a.k, k, here, spare);
      quantize_super<kGroup>(x, here / kGroup, *a.kernel, tile.n, t, out);
    }
    out += tile.n * a.kernel->token_bytes(kSuperBlock);
  }
}

/// kBytes of `convert` per 32 columns, token by token: they fill whole lines.
template <uint32_t kBytes, void (*convert)(const float*, uint8_t*)>
void gather_tile(const QuantizeArgs& a, const TileTokens& tile) {
  float spare[32];
  for (uint32_t t = tile.begin; t < tile.end; ++t) {
    uint8_t* out = tile.out + kBytes * t;
    for (uint32_t k = 0; k < a.padded_k; k += 32, out += size_t{tile.n} * kBytes) {
      convert(columns(tile.x[t - tile.begin], a.k, k, 32, spare), out);
    }
  }
}

void quantize(const QuantizeArgs& a) {
  const TokenTiles tiles(a.m, a.kernel->tile(a.m));
  for (uint32_t i = 0, token = a.begin; token < a.end; ++i) {
    const uint32_t start = tiles.start(i), n = tiles.size(i);
    if (token >= start + n) continue;
    const uint32_t end = start + n < a.end ? start + n : a.end;
    const TileTokens tile{a.x + token, n, token - start, end - start,
                          a.out + start * a.kernel->token_bytes(a.padded_k)};
    if (a.kernel->group == 32) quantize_tile<32>(a, tile);
    if (a.kernel->group == 16) quantize_tile<16>(a, tile);
    if (a.kernel->type == ActivationType::kBf16) gather_tile<64, round_to_bf16>(a, tile);
    if (a.kernel->type == ActivationType::kF32) gather_tile<128, keep_f32>(a, tile);
    token = end;
  }
}
