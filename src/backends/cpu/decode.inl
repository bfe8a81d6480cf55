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

struct Q4_0 {
  static constexpr uint32_t kBlock = 32, kBytes = 18;
  static void block(const uint8_t* b, float* out) {
    const vf d = splat(load_half(b));
    for (uint32_t i = 0; i < 16; i += kLanes) {
      const vi pair = load_u8(b + 2 + i);
      store(out + i, d * to_float((pair & 15) - 8));
      store(out + i + 16, d * to_float((pair >> 4) - 8));
    }
  }
};

struct Q4_1 {
  static constexpr uint32_t kBlock = 32, kBytes = 20;
  static void block(const uint8_t* b, float* out) {
    const vf d = splat(load_half(b)), m = splat(load_half(b + 2));
    for (uint32_t i = 0; i < 16; i += kLanes) {
      const vi pair = load_u8(b + 4 + i);
      store(out + i, d * to_float(pair & 15) + m);
      store(out + i + 16, d * to_float(pair >> 4) + m);
    }
  }
};

struct Q8_0 {
  static constexpr uint32_t kBlock = 32, kBytes = 34;
  static void block(const uint8_t* b, float* out) {
    const vf d = splat(load_half(b));
    for (uint32_t i = 0; i < 32; i += kLanes) store(out + i, d * to_float(load_i8(b + 2 + i)));
  }
};

struct Q4_K {
  static constexpr uint32_t kBlock = 256, kBytes = 144;
  static void block(const uint8_t* b, float* out) {
    const float d = load_half(b), d_min = load_half(b + 2);
    const uint8_t* packed = b + 4;  // six bits each of 8 scales and 8 minimums: formats/k_scales.h
    for (int j = 0; j < 8; ++j) {
      const int scale = j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
      const int min = j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | (packed[j] >> 6) << 4;
      const vf s = splat(d * static_cast<float>(scale)), m = splat(d_min * static_cast<float>(min));
      const uint8_t* q = b + 16 + 32 * (j / 2);
      for (uint32_t i = 0; i < 32; i += kLanes) {
        store(out + 32 * j + i, s * to_float(load_u8(q + i) >> (4 * (j % 2)) & 15) - m);
      }
    }
  }
};

struct Q6_K {
  static constexpr uint32_t kBlock = 256, kBytes = 210;
  static void block(const uint8_t* b, float* out) {
    const float d = load_half(b + 208);
    for (int j = 0; j < 16; ++j) {
      const vf s = splat(d * static_cast<float>(static_cast<int8_t>(b[192 + j])));
      const uint8_t* low = b + 64 * (j / 8) + 16 * (j % 4);
      const uint8_t* high = b + 128 + 32 * (j / 8) + 16 * (j % 2);
      const int low_shift = 4 * (j / 4 % 2), high_shift = 2 * (j / 2 % 4);
      for (uint32_t i = 0; i < 16; i += kLanes) {
        const vi q = (load_u8(low + i) >> low_shift & 15) | (load_u8(high + i) >> high_shift & 3) << 4;
        store(out + 16 * j + i, s * to_float(q - 32));
      }
    }
  }
};

template <class Codec>
void decode_blocks(Format, const std::byte* row, uint32_t k0, uint32_t n, float* out) {
  const uint8_t* b = bytes_of(row) + size_t{k0} / Codec::kBlock * Codec::kBytes;
  for (uint32_t i = 0; i < n; i += Codec::kBlock, b += Codec::kBytes) Codec::block(b, out + i);
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
      return decode_blocks<Q4_0>;
    case Format::kQ4_1:
      return decode_blocks<Q4_1>;
    case Format::kQ8_0:
      return decode_blocks<Q8_0>;
    case Format::kQ4_K:
      return decode_blocks<Q4_K>;
    case Format::kQ6_K:
      return decode_blocks<Q6_K>;
    default:
      return decode_by_truth;
  }
}
