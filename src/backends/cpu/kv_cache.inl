// Keys and values of one KV head in a page: written token by token, read in panels of f32.
//
//   values  [page_tokens] rows of the cache's format, head_dim values each
//   keys    f32, f16: [head_dim][page_tokens], so that attention loads a vector of positions at a time
//           q8_0: int8 [head_dim][page_tokens], then f16 scales [head_dim / 32][page_tokens]
//
// Both take page_tokens * row_bytes.

constexpr uint32_t kPanel = 64;   // positions decoded at a time: 16 KiB of heads of 64, which stay in L1
constexpr uint32_t kBlock8 = 32;  // values under one scale of q8_0

typedef int8_t bytes_of_lanes __attribute__((vector_size(kLanes)));

/// max|x| of 32 values; a NaN is overlooked.
inline float largest_of_32(const float* x) {
  vf largest{};
  for (uint32_t i = 0; i < kBlock8; i += kLanes) {
    const vf v = load(x + i);
    largest = at_least(largest, v < vf{} ? -v : v);
  }
  return largest_lane(largest);
}

/// 32 values to codes round(x * 127 / max|x|), halves away from zero, and the scale max|x| / 127 in f16. What is no
/// number gets the code 0 (as KvLayout::store).
inline uint16_t encode_32(const float* x, int8_t* codes) {
  const float largest = largest_of_32(x);
  const float inverse = largest > 0 ? 127 / largest : 0;
  for (uint32_t i = 0; i < kBlock8; i += kLanes) {
    const vf scaled = load(x + i) * inverse;
    const vf size = scaled < vf{} ? -scaled : scaled;
    const vf safe = size <= splat(127.25f) ? scaled : vf{};
    const vi whole = __builtin_convertvector(safe, vi);
    const vf rest = safe - to_float(whole);  // exact, so that no sum rounds up to a half
    const vi code = whole - (rest >= splat(0.5f)) + (rest <= splat(-0.5f));  // a comparison that holds is -1
    const bytes_of_lanes bytes = __builtin_convertvector(code, bytes_of_lanes);
    __builtin_memcpy(codes + i, &bytes, sizeof bytes);
  }
  uint16_t scale[kLanes];
  store_halves(scale, splat(largest / 127));
  return scale[0];
}

/// n <= 32 values in f16.
inline void encode_halves(const float* x, uint32_t n, uint16_t* out) {
  uint16_t rounded[kBlock8 + kLanes];
  uint32_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_halves(rounded + i, load(x + i));
  if (i < n) store_halves(rounded + i, load_part(x + i, n - i));
  __builtin_memcpy(out, rounded, n * sizeof(uint16_t));
}

void store_key(const KvStoreArgs& a) {
  const size_t column = size_t{a.page_tokens};
  for (uint32_t d = 0; d < a.head_dim; d += kBlock8) {
    const uint32_t n = a.head_dim - d < kBlock8 ? a.head_dim - d : kBlock8;
    if (a.format == Format::kF16) {
      uint16_t halves[kBlock8];
      encode_halves(a.x + d, n, halves);
      auto* out = reinterpret_cast<uint16_t*>(a.page) + d * column + a.slot;
      for (uint32_t i = 0; i < n; ++i) out[i * column] = halves[i];
    } else if (a.format == Format::kQ8_0) {
      int8_t codes[kBlock8];
      const uint16_t scale = encode_32(a.x + d, codes);
      auto* out = reinterpret_cast<int8_t*>(a.page) + d * column + a.slot;
      for (uint32_t i = 0; i < n; ++i) out[i * column] = codes[i];
      reinterpret_cast<uint16_t*>(a.page + a.head_dim * column)[d / kBlock8 * column + a.slot] = scale;
    } else {
      float* out = reinterpret_cast<float*>(a.page) + d * column + a.slot;
      for (uint32_t i = 0; i < n; ++i) out[i * column] = a.x[d + i];
    }
  }
}

void store_value(const KvStoreArgs& a) {
  std::byte* row = a.page + a.slot * a.row_bytes;
  if (a.format == Format::kF32) __builtin_memcpy(row, a.x, a.head_dim * sizeof(float));
  for (uint32_t d = 0; d < a.head_dim && a.format != Format::kF32; d += kBlock8) {
    const uint32_t n = a.head_dim - d < kBlock8 ? a.head_dim - d : kBlock8;
    if (a.format == Format::kF16) {
      encode_halves(a.x + d, n, reinterpret_cast<uint16_t*>(row) + d);
    } else {
      int8_t codes[kBlock8];
      const uint16_t scale = encode_32(a.x + d, codes);
      std::byte* block = row + d / kBlock8 * (sizeof scale + kBlock8);
      __builtin_memcpy(block, &scale, sizeof scale);
      __builtin_memcpy(block + sizeof scale, codes, kBlock8);
    }
  }
}

/// Slots [slot, slot + n) of a page's keys to out[d][kPanel], in whole vectors: slot, n and page_tokens are multiples
/// of kLanes. next: the keys that will be asked for after these; fetched, because a head's keys in two pages lie apart
/// and hardware does not look ahead that far (decoding at 1,900 tokens: 1.24 times the rate).
void load_key_vectors(const AttentionArgs& a, const std::byte* page, const std::byte* next, uint32_t slot, uint32_t n,
                      float* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(page);
  const size_t column = a.page_tokens;
  if (a.format == Format::kF16) {
    for (uint32_t d = 0; d < a.head_dim; ++d) {
      __builtin_prefetch(next + 2 * d * column);
      for (uint32_t i = 0; i < n; i += kLanes) {
        store(out + d * kPanel + i, load_halves(bytes + 2 * (d * column + slot + i)));
      }
    }
  } else if (a.format == Format::kQ8_0) {
    const uint8_t* scales = bytes + a.head_dim * column;
    for (uint32_t d0 = 0; d0 < a.head_dim; d0 += kBlock8) {
      for (uint32_t i = 0; i < n; i += kLanes) {
        const vf scale = load_halves(scales + 2 * (d0 / kBlock8 * column + slot + i));
        for (uint32_t d = d0; d < d0 + kBlock8; ++d) {
          __builtin_prefetch(next + d * column + i);
          store(out + d * kPanel + i, scale * to_float(load_i8(bytes + d * column + slot + i)));
        }
      }
    }
  } else {
    const auto* floats = reinterpret_cast<const float*>(page);
    for (uint32_t d = 0; d < a.head_dim; ++d) {
      for (uint32_t i = 0; i < n; i += kLanes) store(out + d * kPanel + i, load(floats + d * column + slot + i));
    }
  }
}

/// One slot of a page's keys to out[d][kPanel].
void load_key(const AttentionArgs& a, const std::byte* page, uint32_t slot, float* out) {
  const size_t column = a.page_tokens;
  for (uint32_t d = 0; d < a.head_dim; ++d) {
    const size_t at = d * column + slot;
    if (a.format == Format::kF16) {
      out[d * kPanel] = half_to_float(reinterpret_cast<const uint16_t*>(page)[at]);
    } else if (a.format == Format::kQ8_0) {
      const auto* scales = reinterpret_cast<const uint16_t*>(page + a.head_dim * column);
      out[d * kPanel] =
          half_to_float(scales[d / kBlock8 * column + slot]) * static_cast<float>(static_cast<int8_t>(page[at]));
    } else {
      out[d * kPanel] = reinterpret_cast<const float*>(page)[at];
    }
  }
}

/// The page of position p of a cache, and the one that follows where the rows still see it.
struct PagePair {
  const std::byte* page;
  const std::byte* next;
};
inline PagePair pages_at(const AttentionArgs& a, const std::byte* cache, uint32_t p) {
  const uint32_t index = p / a.page_tokens;
  const uint32_t after = index < a.last[a.n_rows - 1] / a.page_tokens ? index + 1 : index;
  return {cache + a.pages[index] * a.page_bytes, cache + a.pages[after] * a.page_bytes};
}

/// Keys of positions [begin, end) of one panel to panel[d][position % kPanel]; neighbours up to whole vectors may be
/// loaded too, whatever they are.
void load_keys(const AttentionArgs& a, uint32_t begin, uint32_t end, float* panel) {
  const bool vectors = a.page_tokens % kLanes == 0;
  for (uint32_t p = vectors ? begin / kLanes * kLanes : begin; p < end;) {
    const PagePair at = pages_at(a, a.keys, p);
    const uint32_t slot = p % a.page_tokens;
    uint32_t n = a.page_tokens - slot < end - p ? a.page_tokens - slot : end - p;
    if (vectors) {
      n = (n + kLanes - 1) / kLanes * kLanes;
      load_key_vectors(a, at.page, at.next, slot, n, panel + p % kPanel);
    } else {
      for (uint32_t i = 0; i < n; ++i) load_key(a, at.page, slot + i, panel + (p + i) % kPanel);
    }
    p += n;
  }
}

/// n rows of values to out[n][padded head_dim], zeros at the end.
void load_value_rows(const AttentionArgs& a, const std::byte* rows, const std::byte* next, uint32_t n, float* out) {
  const uint32_t width = (a.head_dim + kLanes - 1) / kLanes * kLanes;
  const DecodeFn decode_row = format_kernels(a.format).decode;
  for (uint32_t r = 0; r < n; ++r, rows += a.row_bytes, next += a.row_bytes, out += width) {
    for (uint64_t byte = 0; byte < a.row_bytes; byte += 64) __builtin_prefetch(next + byte);
    if (a.format == Format::kF16 && width == a.head_dim) {
      const auto* halves = reinterpret_cast<const uint8_t*>(rows);
      for (uint32_t i = 0; i < width; i += kLanes) store(out + i, load_halves(halves + 2 * i));
    } else {
      for (uint32_t k0 = 0; k0 < a.head_dim; k0 += kChunk) {
        decode_row(a.format, rows, k0, a.head_dim - k0 < kChunk ? a.head_dim - k0 : kChunk, out + k0);
      }
    }
  }
}

/// Values of positions [begin, end) of one panel to panel[position % kPanel][padded head_dim].
void load_values(const AttentionArgs& a, uint32_t begin, uint32_t end, float* panel) {
  const uint32_t width = (a.head_dim + kLanes - 1) / kLanes * kLanes;
  for (uint32_t p = begin; p < end;) {
    const PagePair at = pages_at(a, a.values, p);
    const uint32_t slot = p % a.page_tokens;
    const uint32_t n = a.page_tokens - slot < end - p ? a.page_tokens - slot : end - p;
    load_value_rows(a, at.page + slot * a.row_bytes, at.next + slot * a.row_bytes, n,
                    panel + size_t{p % kPanel} * width);
    p += n;
  }
}
