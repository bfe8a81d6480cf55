// How the lines of a panel become u8 operands and scales. A codec has
//   kGroup                columns of an integer sum, with one scale each
//   kBlock, kHeader       columns of a block; bytes before its groups
//   kBytes, kAlike        bytes of a group's lines; how many parts they have that are read alike
//   kBits, kZero          size of a code (Dot<kBits>); what all codes have too much
//   step(lines, s)        the u8 operand of columns 4 s .. 4 s + 3 of a group
//                         (lines points at the first row of the vector)
//   scale(h, g, row), min(h, g, row) of group g and the vector of rows that begins with `row`, h being the header;
//                         kHasMin says whether there are minimums: w = scale * (code - kZero) + min
// Layouts: panels.h, repack.cc.

typedef uint32_t vu __attribute__((vector_size(4 * kLanes)));

constexpr int kParts = static_cast<int>(kPanelRows) / kLanes;  // vectors of a line

inline vu load_line(const uint8_t* p) {
  vu v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline vbytes to_bytes(vu v) {
  return reinterpret_cast<vbytes>(v);
}
inline float load_float(const uint8_t* p) {
  float v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline int32_t load_int(const uint8_t* p) {
  int32_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

/// Field `b` of four signed bytes a lane.
inline vf signed_field(const uint8_t* p, int b) {
  return to_float(reinterpret_cast<vi>(load_line(p) << (24 - 8 * b)) >> 24);
}

/// Codes of four bits.
template <int kCodeBits>
struct NibbleLines {
  static constexpr int kBits = kCodeBits, kBytes = 256, kColumns = 32, kAlike = 4;
  static vu nibbles(const uint8_t* lines, int s) {
    const vu v = load_line(lines + 64 * (s / 2));
    return (s % 2 ? v >> 4 : v) & 0x0f0f0f0fu;
  }
  static vbytes step(const uint8_t* lines, int s) { return to_bytes(nibbles(lines, s)); }
};
/// Four bits, and a line of fifth bits behind.
struct FiveBitLines {
  static constexpr int kBits = 5, kBytes = 320, kColumns = 32, kAlike = 1;
  static vbytes step(const uint8_t* lines, int s) {
    const vu bits = load_line(lines + 256);
    const vu fifth = (s < 4 ? bits << (4 - s) : bits >> (s - 4)) & 0x10101010u;
    return to_bytes(NibbleLines<4>::nibbles(lines, s) | fifth);
  }
};
/// Groups of 16: two lines of nibbles, one of pairs.
struct SixBitLines {
  static constexpr int kBits = 6, kBytes = 192, kColumns = 16, kAlike = 1;
  static vbytes step(const uint8_t* lines, int s) {
    const vu pairs = load_line(lines + 128);
    const vu high = (s < 2 ? pairs << (4 - 2 * s) : pairs >> (2 * s - 4)) & 0x30303030u;
    return to_bytes(NibbleLines<4>::nibbles(lines, s) | high);
  }
};
struct ByteLines {
  static constexpr int kBits = 8, kBytes = 512, kColumns = 32, kAlike = 4;
  static vbytes step(const uint8_t* lines, int s) { return to_bytes(load_line(lines + 64 * s)); }
};
/// Nibbles that index 16 values, which have kZero too much.
template <class Values>
struct TableLines {
  static constexpr int kBits = Values::kBits, kBytes = 256, kColumns = 32, kAlike = 4;
  static vbytes step(const uint8_t* lines, int s) { return lookup(NibbleLines<4>::step(lines, s), Values::kTable); }
};
struct Iq4Table {
  static constexpr int kBits = 8, kZero = 128;
  alignas(16) static constexpr uint8_t kTable[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                     129, 141, 153, 166, 181, 197, 217, 241};
};
struct Mxfp4Table {
  static constexpr int kBits = 5, kZero = 12;
  alignas(16) static constexpr uint8_t kTable[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
};

struct NoMin {
  static constexpr bool kHasMin = false;
  static vf min(const uint8_t*, int, int) { return vf{}; }
};

/// An f16 scale per 32.
template <class Lines, int kZeroPoint>
struct Scaled32 : Lines, NoMin {
  static constexpr int kGroup = 32, kBlock = 64, kHeader = 64, kZero = kZeroPoint;
  static vf scale(const uint8_t* h, int g, int row) { return load_halves(h + 32 * g + 2 * row); }
};
/// A bf16 scale per 32.
struct Mxfp4Panels : TableLines<Mxfp4Table>, NoMin {
  static constexpr int kGroup = 32, kBlock = 64, kHeader = 64, kZero = Mxfp4Table::kZero;
  static vf scale(const uint8_t* h, int g, int row) { return bits_to_float(load_u16(h + 32 * g + 2 * row) << 16); }
};
/// An f16 scale and an f16 minimum per 32.
template <class Lines>
struct ScaledMin32 : Lines {
  static constexpr int kGroup = 32, kBlock = 64, kHeader = 128, kZero = 0;
  static constexpr bool kHasMin = true;
  static vf scale(const uint8_t* h, int g, int row) { return load_halves(h + 32 * g + 2 * row); }
  static vf min(const uint8_t* h, int g, int row) { return load_halves(h + 64 + 32 * g + 2 * row); }
};
/// An f16 scale and a zero point per 128; their product is exact.
struct AwqPanels : NibbleLines<4> {
  static constexpr int kGroup = 32, kBlock = 128, kHeader = 64, kZero = 0;
  static constexpr bool kHasMin = true;
  static vf scale(const uint8_t* h, int, int row) { return load_halves(h + 2 * row); }
  static vf min(const uint8_t* h, int g, int row) { return -scale(h, g, row) * to_float(load_u8(h + 32 + row)); }
};
/// Q4_K, Q5_K: eight scales and minimums of six bits per 256, times d and dmin.
template <class Lines>
struct KPanels : Lines {
  static constexpr int kGroup = 32, kBlock = 256, kHeader = 256, kZero = 0;
  static constexpr bool kHasMin = true;
  static vf scale(const uint8_t* h, int g, int row) {
    const vu field = load_line(h + 64 + 64 * (g / 4) + 4 * row) >> (8 * (g % 4)) & 63u;
    return load_halves(h + 2 * row) * to_float(reinterpret_cast<vi>(field));
  }
  static vf min(const uint8_t* h, int g, int row) {
    const uint8_t* p = h + 64 + 4 * row;
    const int shift = 8 * (g % 4);
    vu field = load_line(p + 128) >> shift & 63u;
    if (g >= 4) {
      field = (load_line(p) >> (shift + 6) & 3u) | (load_line(p + 64) >> (shift + 6) & 3u) << 2 |
              (load_line(p + 128) >> (shift + 6) & 3u) << 4;
    }
    return -load_halves(h + 32 + 2 * row) * to_float(reinterpret_cast<vi>(field));
  }
};
/// d times scales of eight bits, lines of which follow.
template <class Lines, int kGroupSize, int kZeroPoint>
struct SignedScales : Lines, NoMin {
  static constexpr int kGroup = kGroupSize, kBlock = 256, kHeader = 64 + 4096 / kGroup, kZero = kZeroPoint;
  static constexpr int kBytes = Lines::kBytes * kGroup / Lines::kColumns;
  static constexpr int kAlike = Lines::kAlike * kGroup / Lines::kColumns;
  static vf scale(const uint8_t* h, int g, int row) {
    return load_halves(h + 2 * row) * signed_field(h + 64 + 64 * (g / 4) + 4 * row, g % 4);
  }
};
