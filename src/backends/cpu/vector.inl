// Vectors of kLanes floats and what the kernels do with them, in the vector extensions that GCC and Clang share. The
// including isa_<name>.cc has defined kLanes, and defines, after the types, what takes intrinsics: fma, and loads of
// bytes, words and halves, which compilers widen badly by themselves (GCC 12: 20 times slower). (Included inside the
// instruction set's anonymous namespace, as all of kernels.inl.)

typedef float vf __attribute__((vector_size(4 * kLanes)));
typedef int32_t vi __attribute__((vector_size(4 * kLanes)));
typedef float vf_anywhere __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline vf load(const float* p) {
  return *reinterpret_cast<const vf_anywhere*>(p);
}
inline void store(float* p, vf v) {
  *reinterpret_cast<vf_anywhere*>(p) = v;
}
inline vf splat(float x) {
  return x - vf{};
}
inline vi splat(int32_t x) {
  return x - vi{};
}

/// The first n < kLanes elements, then zeros.
inline vf load_part(const float* p, uint32_t n) {
  vf v{};
  __builtin_memcpy(&v, p, n * sizeof(float));
  return v;
}
inline void store_part(float* p, vf v, uint32_t n) {
  __builtin_memcpy(p, &v, n * sizeof(float));
}

inline vf to_float(vi v) {
  return __builtin_convertvector(v, vf);
}
inline vf bits_to_float(vi v) {
  return reinterpret_cast<vf>(v);
}
inline vi float_to_bits(vf v) {
  return reinterpret_cast<vi>(v);
}

// A NaN in x stays.
inline vf at_least(vf x, vf low) {
  return x < low ? low : x;
}
inline vf at_most(vf x, vf high) {
  return x > high ? high : x;
}

/// Halves in the low 16 bits of each lane, bitwise as base/half.h.
inline vf halves_to_float(vi h) {
  // The sign stays where it is, exponent and mantissa move up by 13.
  const vi placed = (h << 16 >> 3) & static_cast<int32_t>(0x8fffffff);
  // 2^112 moves the exponent's bias from 15 to 127 and makes subnormals normal; infinities and NaN need all ones.
  const vi bits = float_to_bits(bits_to_float(placed) * 0x1p112f);
  return bits_to_float(bits | (((placed & 0x0fffffff) >= 0x0f800000) & 0x7f800000));
}

template <int N>
struct FloatsOf {
  typedef float type __attribute__((vector_size(4 * N)));
};
template <int N, int... I>
inline auto fold_halves(typename FloatsOf<N>::type v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, v, I...) + __builtin_shufflevector(v, v, (I + N / 2)...);
}
/// Sum of the lanes: lane i with lane i + N / 2, and so on.
template <int N = kLanes>
inline float sum_lanes(typename FloatsOf<N>::type v) {
  if constexpr (N == 2) {
    return v[0] + v[1];
  } else {
    return sum_lanes<N / 2>(fold_halves<N>(v, std::make_integer_sequence<int, N / 2>()));
  }
}
template <int N, int... I>
inline auto larger_halves(typename FloatsOf<N>::type v, std::integer_sequence<int, I...>) {
  const auto low = __builtin_shufflevector(v, v, I...), high = __builtin_shufflevector(v, v, (I + N / 2)...);
  return high > low ? high : low;
}
template <int N = kLanes>
inline float largest_lane(typename FloatsOf<N>::type v) {
  if constexpr (N == 2) {
    return v[1] > v[0] ? v[1] : v[0];
  } else {
    return largest_lane<N / 2>(larger_halves<N>(v, std::make_integer_sequence<int, N / 2>()));
  }
}
inline vi lane_numbers() {
  vi v{};
  for (int i = 0; i < kLanes; ++i) v[i] = i;
  return v;
}
/// Rounds kLanes values to f16 where no instruction does.
inline void store_halves_by_truth(uint16_t* out, vf v) {
  float values[kLanes];
  store(values, v);
  round_to_halves(values, kLanes, out);
}

/// s (q - bias) - m of codes q = 0..15; bits above these four do not count. Where vectors hold sixteen floats,
/// `Nibbles` is a table instead.
struct NibblesByArithmetic {
  vf s, m;
  int bias;
  NibblesByArithmetic(vf scale, int b, vf min) : s(scale), m(min), bias(b) {}
  vf operator()(vi codes) const { return s * to_float((codes & 15) - bias) - m; }
};

typedef uint8_t vbytes __attribute__((vector_size(4 * kLanes)));

// What int8 products take, here without intrinsics: Dot<kBits> adds up products of four codes of kBits and four int8 in
// each lane. kSigned says that codes of eight bits are taken as code - 128, not as they are; kComplements that besides
// they are complemented where the int8 is negative, so that sums lack the magnitudes of negative ones.
struct DotByArithmetic {
  static constexpr bool kSigned = false, kComplements = false;
  using Sum = vi;
  static Sum start(int32_t value) { return splat(value); }
  /// Step s: the columns 4 s .. 4 s + 3 of the activations at x, 16 of which are there from 16 * (s / 4) on.
  static Sum step(Sum sum, vbytes codes, const uint8_t* x, int s) {
    const vi four = reinterpret_cast<vi>(codes);
#pragma GCC unroll 4
    for (int b = 0; b < 4; ++b) sum += (four >> (8 * b) & 255) * static_cast<int8_t>(x[4 * s + b]);
    return sum;
  }
  /// value: what start() was called with.
  static vi finish(Sum sum, int32_t) { return sum; }
};
/// table[code] of codes 0..15.
inline vbytes lookup_by_index(vbytes codes, const uint8_t* table) {
  for (int i = 0; i < 4 * kLanes; ++i) codes[i] = table[codes[i]];
  return codes;
}
inline void store_low_bytes_by_index(uint8_t* p, vi v) {
  for (int lane = 0; lane < kLanes; ++lane) p[lane] = static_cast<uint8_t>(v[lane]);
}
