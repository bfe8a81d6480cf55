// Decoders of weight rows to f32, bitwise as the scalar truth in formats/types/. The formats that models are mostly
// shipped in are written in vectors; all others go through formats::decode_row.

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

void decode_q4_0(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  constexpr uint32_t kBytes = 18;
  const uint8_t* b = bytes_of(row) + size_t{k0} / 32 * kBytes;
  float d[kChunk / 32];
  load_scales<kBytes>(b, n, d);
  for (uint32_t k = 0; k < n; k += 32, b += kBytes) {
    const Nibbles value(splat(d[k / 32]), 8, vf{});
    for (uint32_t i = 0; i < 16; i += kLanes) {
      const vi pair = load_u8(b + 2 + i);
      store(out + k + i, value(pair));
      store(out + k + i + 16, value(pair >> 4));
    }
  }
}

void decode_q4_1(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  constexpr uint32_t kBytes = 20;
  const uint8_t* b = bytes_of(row) + size_t{k0} / 32 * kBytes;
  float d[kChunk / 32], m[kChunk / 32];
  load_scales<kBytes>(b, n, d);
  load_scales<kBytes>(b + 2, n, m);
  for (uint32_t k = 0; k < n; k += 32, b += kBytes) {
    const Nibbles value(splat(d[k / 32]), 0, -splat(m[k / 32]));
    for (uint32_t i = 0; i < 16; i += kLanes) {
      const vi pair = load_u8(b + 4 + i);
      store(out + k + i, value(pair));
      store(out + k + i + 16, value(pair >> 4));
    }
  }
}

void decode_q8_0(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  constexpr uint32_t kBytes = 34;
  const uint8_t* b = bytes_of(row) + size_t{k0} / 32 * kBytes;
  float d[kChunk / 32];
  load_scales<kBytes>(b, n, d);
  for (uint32_t k = 0; k < n; k += 32, b += kBytes) {
    const vf s = splat(d[k / 32]);
    for (uint32_t i = 0; i < 32; i += kLanes) store(out + k + i, s * to_float(load_i8(b + 2 + i)));
  }
}

/// The eight scales and minimums of a block of Q4_K or Q5_K, times d and dmin. packed: formats/k_scales.h.
struct KScales {
  float scale[16], min[16];  // of which 8 count
  KScales(float d, float d_min, const uint8_t* packed) {
    uint32_t p[3];  // four bytes at a time
    __builtin_memcpy(p, packed, sizeof p);
    const uint32_t scales[4] = {p[0] & 0x3f3f3f3f, (p[2] & 0x0f0f0f0f) | (p[0] >> 6 & 0x03030303) << 4};
    const uint32_t mins[4] = {p[1] & 0x3f3f3f3f, (p[2] >> 4 & 0x0f0f0f0f) | (p[1] >> 6 & 0x03030303) << 4};
    for (int i = 0; i < 8; i += kLanes) {
      store(scale + i, d * to_float(load_u8(reinterpret_cast<const uint8_t*>(scales) + i)));
      store(min + i, d_min * to_float(load_u8(reinterpret_cast<const uint8_t*>(mins) + i)));
    }
  }
};

struct Q4_K {
  static constexpr uint32_t kBytes = 144;
  static void block(const uint8_t* b, float* out) {
    const KScales k(load_half(b), load_half(b + 2), b + 4);
    for (int j = 0; j < 8; j += 2) {
      const Nibbles low(splat(k.scale[j]), 0, splat(k.min[j]));
      const Nibbles high(splat(k.scale[j + 1]), 0, splat(k.min[j + 1]));
      for (uint32_t i = 0; i < 32; i += kLanes) {
        const vi pair = load_u8(b + 16 + 16 * j + i);
        store(out + 32 * j + i, low(pair));
        store(out + 32 * j + 32 + i, high(pair >> 4));
      }
    }
  }
};

// Codes of 5 and 6 bits are put together as bytes, 16 at a time, and widened afterwards.
typedef uint8_t vb __attribute__((vector_size(16)));
typedef uint8_t vb_anywhere __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint16_t vw __attribute__((vector_size(16)));
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

struct Q5_K {
  static constexpr uint32_t kBytes = 176;
  static void block(const uint8_t* b, float* out) {
    const KScales k(load_half(b), load_half(b + 2), b + 4);
    for (int j = 0; j < 16; ++j) {  // half a sub-block
      const vb high = shift_right(load_bytes(b + 16 + 16 * (j % 2)), j / 2) & 1;
      const vb low = shift_right(load_bytes(b + 48 + 32 * (j / 4) + 16 * (j % 2)), 4 * (j / 2 % 2)) & 15;
      uint8_t codes[16];
      store_bytes(codes, low | shift_left(high, 4));
      const vf s = splat(k.scale[j / 2]), m = splat(k.min[j / 2]);
      for (uint32_t i = 0; i < 16; i += kLanes) store(out + 16 * j + i, s * to_float(load_u8(codes + i)) - m);
    }
  }
};

struct Q6_K {
  static constexpr uint32_t kBytes = 210;
  static void block(const uint8_t* b, float* out) {
    const float d = load_half(b + 208);
    float scale[16];
    for (int j = 0; j < 16; j += kLanes) store(scale + j, d * to_float(load_i8(b + 192 + j)));
    for (int j = 0; j < 16; ++j) {
      const vb low = shift_right(load_bytes(b + 64 * (j / 8) + 16 * (j % 4)), 4 * (j / 4 % 2)) & 15;
      const vb high = shift_right(load_bytes(b + 128 + 32 * (j / 8) + 16 * (j % 2)), 2 * (j / 2 % 4)) & 3;
      uint8_t codes[16];
      store_bytes(codes, (low | shift_left(high, 4)) - 32);
      const vf s = splat(scale[j]);
      for (uint32_t i = 0; i < 16; i += kLanes) store(out + 16 * j + i, s * to_float(load_i8(codes + i)));
    }
  }
};

/// Formats with blocks of 256.
template <class Codec>
void decode_blocks(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  const uint8_t* b = bytes_of(row) + size_t{k0} / 256 * Codec::kBytes;
  for (uint32_t i = 0; i < n; i += 256, b += Codec::kBytes) Codec::block(b, out + i);
}

/// Formats without blocks: element i is kBytes bytes at `header` + i * kBytes. A row may end within a vector, the
/// rest of which is filled with zeros.
template <int kBytes, class F>
inline void decode_elements(const uint8_t* from, uint32_t n, float* out, F load_vector) {
  uint32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, load_vector(from + size_t{i} * kBytes));
  if (i == n) return;
  uint8_t rest[kLanes * kBytes] = {};
  __builtin_memcpy(rest, from + size_t{i} * kBytes, size_t{n - i} * kBytes);
  store(out + i, load_vector(rest));
}

void decode_f32(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  decode_elements<4>(bytes_of(row) + 4 * size_t{k0}, n, out, [](const uint8_t* p) {
    vf v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  });
}
void decode_f16(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  decode_elements<2>(bytes_of(row) + 2 * size_t{k0}, n, out, [](const uint8_t* p) { return load_halves(p); });
}
void decode_bf16(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  decode_elements<2>(bytes_of(row) + 2 * size_t{k0}, n, out,
                     [](const uint8_t* p) { return bits_to_float(load_u16(p) << 16); });
}
void decode_int8(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  float d;
  __builtin_memcpy(&d, row, sizeof d);
  decode_elements<1>(bytes_of(row) + 4 + k0, n, out, [=](const uint8_t* p) { return d * to_float(load_i8(p)); });
}

DecodeFn decoder(Format format) {
  switch (format) {
    case Format::kF32:
      return decode_f32;
    case Format::kF16:
      return decode_f16;
    case Format::kBF16:
      return decode_bf16;
    case Format::kINT8:
      return decode_int8;
    case Format::kQ4_0:
      return decode_q4_0;
    case Format::kQ4_1:
      return decode_q4_1;
    case Format::kQ8_0:
      return decode_q8_0;
    case Format::kQ4_K:
      return decode_blocks<Q4_K>;
    case Format::kQ5_K:
      return decode_blocks<Q5_K>;
    case Format::kQ6_K:
      return decode_blocks<Q6_K>;
    default:
      return decode_by_truth;
  }
}
