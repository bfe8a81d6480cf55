// How rows of weights become vectors of floats, bitwise as the scalar truth in formats/types/. The formats that models
// are mostly shipped in are codecs here; all others go through formats::decode_row.
//
// A codec has
//   kBlock, kBytes         weights and bytes of a block; formats without blocks have one vector
//   kHeader                bytes of a row before its blocks
//   Scales                 what is computed once for up to kChunk columns of a row
//   block(b, s, i, sink)   calls sink(j, v) with the weights j, j + 1, ... of block i of the chunk, which lies at b, in
//                          ascending order

inline const uint8_t* bytes_of(const std::byte* p) {
  return reinterpret_cast<const uint8_t*>(p);
}
inline float load_half(const uint8_t* p) {
  uint16_t h;
  __builtin_memcpy(&h, p, sizeof h);
  return half_to_float(h);
}

/// The f16 scales of n / 32 blocks, to floats that are broadcast from memory: converting them one by one would take
/// more of the vector units than the weights do.
template <uint32_t kBytes>
inline void load_scales(const uint8_t* at, uint32_t n, float* out) {
  constexpr uint32_t kMost = kChunk / 32;
  uint16_t halves[kMost] = {};
  for (uint32_t i = 0; i < n / 32; ++i) {
    __builtin_memcpy(halves + i, at + size_t{i} * kBytes, sizeof(uint16_t));
    asm volatile("" ::: "memory");  // GCC 12 would gather them in a vector by dozens of shuffles
  }
  for (uint32_t i = 0; i < kMost; i += kLanes) {
    store(out + i, load_halves(reinterpret_cast<const uint8_t*>(halves + i)));
  }
}

struct NoScales {
  void read(const std::byte*, const uint8_t*, uint32_t) {}
};

struct Q4_0 {
  static constexpr uint32_t kBlock = 32, kBytes = 18, kHeader = 0;
  struct Scales {
    float d[kChunk / 32];
    void read(const std::byte*, const uint8_t* b, uint32_t n) { load_scales<kBytes>(b, n, d); }
  };
  template <class Sink>
  static void block(const uint8_t* b, const Scales& s, uint32_t i, Sink sink) {
    const Nibbles value(splat(s.d[i]), 8, vf{});
    vi pairs[16 / kLanes];
    for (int j = 0; j < 16; j += kLanes) pairs[j / kLanes] = load_u8(b + 2 + j);
    for (int j = 0; j < 16; j += kLanes) sink(j, value(pairs[j / kLanes]));
    for (int j = 0; j < 16; j += kLanes) sink(j + 16, value(pairs[j / kLanes] >> 4));
  }
};

struct Q4_1 {
  static constexpr uint32_t kBlock = 32, kBytes = 20, kHeader = 0;
  struct Scales {
    float d[kChunk / 32], m[kChunk / 32];
    void read(const std::byte*, const uint8_t* b, uint32_t n) {
      load_scales<kBytes>(b, n, d);
      load_scales<kBytes>(b + 2, n, m);
    }
  };
  template <class Sink>
  static void block(const uint8_t* b, const Scales& s, uint32_t i, Sink sink) {
    const Nibbles value(splat(s.d[i]), 0, -splat(s.m[i]));
    vi pairs[16 / kLanes];
    for (int j = 0; j < 16; j += kLanes) pairs[j / kLanes] = load_u8(b + 4 + j);
    for (int j = 0; j < 16; j += kLanes) sink(j, value(pairs[j / kLanes]));
    for (int j = 0; j < 16; j += kLanes) sink(j + 16, value(pairs[j / kLanes] >> 4));
  }
};

struct Q8_0 {
  static constexpr uint32_t kBlock = 32, kBytes = 34, kHeader = 0;
  struct Scales {
    float d[kChunk / 32];
    void read(const std::byte*, const uint8_t* b, uint32_t n) { load_scales<kBytes>(b, n, d); }
  };
  template <class Sink>
  static void block(const uint8_t* b, const Scales& s, uint32_t i, Sink sink) {
    const vf d = splat(s.d[i]);
    for (int j = 0; j < 32; j += kLanes) sink(j, d * to_float(load_i8(b + 2 + j)));
  }
};

// Codes of 5 and 6 bits are put together as bytes, 16 at a time, and widened afterwards.
typedef uint8_t vb __attribute__((vector_size(16)));
typedef uint8_t vb_anywhere __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint16_t vw __attribute__((vector_size(16)));
typedef uint64_t vq __attribute__((vector_size(16)));
// Bytes are shifted as pairs (there is no instruction for bytes); the caller masks what comes over from the neighbour.
inline vb shift_right(vb v, int n) {
  return reinterpret_cast<vb>(reinterpret_cast<vw>(v) >> n);
}
inline vb shift_left(vb v, int n) {
  return reinterpret_cast<vb>(reinterpret_cast<vw>(v) << n);
}
inline vb load_bytes(const uint8_t* p) {
  return *reinterpret_cast<const vb_anywhere*>(p);
}
inline void store_bytes(uint8_t* p, vb v) {
  *reinterpret_cast<vb_anywhere*>(p) = v;
}

/// The eight scales and minimums of a block of Q4_K or Q5_K, times d and dmin. packed: formats/k_scales.h.
struct KScales {
  float times_d[16], times_d_min[16];  // of the scales, then the minimums; half of each is used
  KScales(float d, float d_min, const uint8_t* packed) {
    uint32_t p[3];  // four bytes at a time
    __builtin_memcpy(p, packed, sizeof p);
    const uint64_t scales = (p[0] & 0x3f3f3f3f) | uint64_t{(p[2] & 0x0f0f0f0f) | (p[0] >> 6 & 0x03030303) << 4} << 32;
    const uint64_t mins = (p[1] & 0x3f3f3f3f) | uint64_t{(p[2] >> 4 & 0x0f0f0f0f) | (p[1] >> 6 & 0x03030303) << 4}
                                                    << 32;
    uint8_t codes[16];
    store_bytes(codes, reinterpret_cast<vb>(vq{scales, mins}));  // at once, or loading them has to wait
    for (int i = 0; i < 16; i += kLanes) {
      const vf code = to_float(load_u8(codes + i));
      store(times_d + i, d * code);
      store(times_d_min + i, d_min * code);
    }
  }
  vf scale(int j) const { return splat(times_d[j]); }
  vf min(int j) const { return splat(times_d_min[8 + j]); }
};

struct Q4_K {
  static constexpr uint32_t kBlock = 256, kBytes = 144, kHeader = 0;
  using Scales = NoScales;
  template <class Sink>
  static void block(const uint8_t* b, const Scales&, uint32_t, Sink sink) {
    const KScales k(load_half(b), load_half(b + 2), b + 4);
#pragma GCC unroll 4
    for (int j = 0; j < 8; j += 2) {
      const Nibbles low(k.scale(j), 0, k.min(j)), high(k.scale(j + 1), 0, k.min(j + 1));
      vi pairs[32 / kLanes];
      for (int i = 0; i < 32; i += kLanes) pairs[i / kLanes] = load_u8(b + 16 + 16 * j + i);
      for (int i = 0; i < 32; i += kLanes) sink(32 * j + i, low(pairs[i / kLanes]));
      for (int i = 0; i < 32; i += kLanes) sink(32 * j + 32 + i, high(pairs[i / kLanes] >> 4));
    }
  }
};

struct Q5_K {
  static constexpr uint32_t kBlock = 256, kBytes = 176, kHeader = 0;
  using Scales = NoScales;
  template <class Sink>
  static void block(const uint8_t* b, const Scales&, uint32_t, Sink sink) {
    const KScales k(load_half(b), load_half(b + 2), b + 4);
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j) {  // half a sub-block
      const vb high = shift_right(load_bytes(b + 16 + 16 * (j % 2)), j / 2) & 1;
      const vb low = shift_right(load_bytes(b + 48 + 32 * (j / 4) + 16 * (j % 2)), 4 * (j / 2 % 2)) & 15;
      uint8_t codes[16];
      store_bytes(codes, low | shift_left(high, 4));
      const vf s = k.scale(j / 2), m = k.min(j / 2);
      for (int i = 0; i < 16; i += kLanes) sink(16 * j + i, s * to_float(load_u8(codes + i)) - m);
    }
  }
};

struct Q6_K {
  static constexpr uint32_t kBlock = 256, kBytes = 210, kHeader = 0;
  using Scales = NoScales;
  template <class Sink>
  static void block(const uint8_t* b, const Scales&, uint32_t, Sink sink) {
    const float d = load_half(b + 208);
    float scale[16];
    for (int j = 0; j < 16; j += kLanes) store(scale + j, d * to_float(load_i8(b + 192 + j)));
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j) {
      const vb low = shift_right(load_bytes(b + 64 * (j / 8) + 16 * (j % 4)), 4 * (j / 4 % 2)) & 15;
      const vb high = shift_right(load_bytes(b + 128 + 32 * (j / 8) + 16 * (j % 2)), 2 * (j / 2 % 4)) & 3;
      uint8_t codes[16];
      store_bytes(codes, (low | shift_left(high, 4)) - 32);
      const vf s = splat(scale[j]);
      for (int i = 0; i < 16; i += kLanes) sink(16 * j + i, s * to_float(load_i8(codes + i)));
    }
  }
};

struct F32 {
  static constexpr uint32_t kBlock = kLanes, kBytes = 4 * kLanes, kHeader = 0;
  using Scales = NoScales;
  template <class Sink>
  static void block(const uint8_t* b, const Scales&, uint32_t, Sink sink) {
    vf v;
    __builtin_memcpy(&v, b, sizeof v);
    sink(0, v);
  }
};

struct F16 {
  static constexpr uint32_t kBlock = kLanes, kBytes = 2 * kLanes, kHeader = 0;
  using Scales = NoScales;
  template <class Sink>
  static void block(const uint8_t* b, const Scales&, uint32_t, Sink sink) {
    sink(0, load_halves(b));
  }
};

struct BF16 {
  static constexpr uint32_t kBlock = kLanes, kBytes = 2 * kLanes, kHeader = 0;
  using Scales = NoScales;
  template <class Sink>
  static void block(const uint8_t* b, const Scales&, uint32_t, Sink sink) {
    sink(0, bits_to_float(load_u16(b) << 16));
  }
};

struct INT8 {
  static constexpr uint32_t kBlock = kLanes, kBytes = kLanes, kHeader = 4;
  struct Scales {
    float d;  // of the row
    void read(const std::byte* row, const uint8_t*, uint32_t) { __builtin_memcpy(&d, row, sizeof d); }
  };
  template <class Sink>
  static void block(const uint8_t* b, const Scales& s, uint32_t, Sink sink) {
    sink(0, s.d * to_float(load_i8(b)));
  }
};

/// Where column k0 of a row lies.
template <class Codec>
inline const uint8_t* column(const std::byte* row, uint32_t k0) {
  return bytes_of(row) + Codec::kHeader + size_t{k0} / Codec::kBlock * Codec::kBytes;
}

/// The last block of a row, which is not whole (n < kBlock; formats without blocks only), filled up with zeros.
template <class Codec>
struct LastBlock {
  uint8_t bytes[Codec::kBytes] = {};
  LastBlock(const uint8_t* b, uint32_t n) { __builtin_memcpy(bytes, b, size_t{n} * Codec::kBytes / Codec::kBlock); }
};

template <class Codec>
void decode(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  const uint8_t* b = column<Codec>(row, k0);
  typename Codec::Scales scales;
  scales.read(row, b, n);
  uint32_t i = 0;
  const auto store_weights = [&](uint32_t j, vf v) { store(out + i + j, v); };
  for (; i + Codec::kBlock <= n; i += Codec::kBlock, b += Codec::kBytes) {
    Codec::block(b, scales, i / Codec::kBlock, store_weights);
  }
  if (i < n) Codec::block(LastBlock<Codec>(b, n - i).bytes, scales, i / Codec::kBlock, store_weights);
}
