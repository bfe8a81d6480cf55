// KernelTable: the loops that are compiled once per instruction set. kernels.inl is included by every isa_<name>.cc in
// a namespace of its own; the table of the best one that the machine can execute is chosen once, at run time, or forced
// by name (BackendOptions::isa).
//
// Each kernel has one order of summation per format and instruction set: a result never depends on how many rows,
// tokens or sequences it was computed with, nor on who computed it.
//
// Only plain types here: an inline function of a shared header that is compiled with AVX-512 must not become the copy
// that the linker keeps for everybody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/format.h"

namespace tern::backends::cpu {

/// Columns of a weight row that are decoded at a time; a multiple of every format's block.
inline constexpr uint32_t kChunk = 512;

/// Decodes columns [k0, k0 + n) of an encoded row to out[n], bitwise as formats::decode_row; k0 a multiple of kChunk,
/// n at most that. Fills up the last vector of `out` with zeros.
using DecodeFn = void (*)(Format format, const std::byte* row, uint32_t k0, uint32_t n, float* out);

/// The products of n_rows encoded rows with x[k], as a vector of partial sums each.
struct DotArgs {
  const std::byte* const* rows;
  uint32_t n_rows;
  uint64_t row_bytes;
  uint64_t ahead;  // where the rows that will be asked for next lie, bytes after these; 0: unknown
  const float* x;
  uint32_t k;
};
using DotFn = void (*)(const DotArgs& args, float* sums);

/// What a table has for a format.
struct FormatKernels {
  DecodeFn decode = nullptr;
  DotFn dot = nullptr;  // null: none, then rows are decoded first
};

/// The DecodeFn of formats that no kernel decodes by hand: formats::decode_row.
void decode_by_truth(Format format, const std::byte* row, uint32_t k0, uint32_t n, float* out);

/// Rounds to f16, for instruction sets without an instruction for it.
void round_to_halves(const float* x, uint32_t n, uint16_t* out);

/// Rows [0, n_rows) of y = x W^T + bias + residual, or of act(x G^T) * (x U^T) when w_up is set.
struct LinearArgs {
  const float* const* x = nullptr;  // [m] rows of k
  float* const* y = nullptr;        // [m] rows; rows of W become columns [y0, y0 + n_rows)
  uint32_t m = 0, k = 0;
  const std::byte* w = nullptr;     // n_rows encoded rows of k, row_bytes apart
  const std::byte* w_up = nullptr;  // likewise: the up rows that belong to the gate rows w; null: no GLU
  uint64_t row_bytes = 0;
  uint32_t n_rows = 0, y0 = 0;
  Format format = Format::kF32;
  FormatKernels kernels;                   // of the format
  const float* bias = nullptr;             // [n], indexed like y; null: none
  const float* const* residual = nullptr;  // [m] rows, indexed like y; null: none
  uint32_t activation = 0;                 // graph::Activation
  float* scratch = nullptr;                // linear_scratch floats of this worker
};

/// A key or value vector of a token, x[head_dim], to slot `slot` of what a page has for its KV head (kv_cache.inl).
struct KvStoreArgs {
  const float* x = nullptr;
  std::byte* page = nullptr;
  Format format = Format::kF32;  // f32, f16 or q8_0
  uint32_t head_dim = 0, slot = 0, page_tokens = 0;
  uint64_t row_bytes = 0;
};

/// Positions whose scores are taken together; the parts of blocks are joined in their order.
inline constexpr uint32_t kAttentionBlock = 256;
/// Rows of one call at most: 128 x 256 scores are 128 KiB, and decoding the keys is 1/60 of the work.
inline constexpr uint32_t kAttentionRows = 128;

/// Attention of n_rows rows, each a head of a token, of one sequence and one KV head.
struct AttentionArgs {
  const float* const* q = nullptr;  // [n_rows] vectors of head_dim
  float* const* out = nullptr;      // likewise
  const uint32_t* first = nullptr;  // [n_rows] positions a row sees, from here
  const uint32_t* last = nullptr;   // to here
  uint32_t n_rows = 0, head_dim = 0;
  float scale = 0, softcap = 0;
  Format format = Format::kF32;     // of the cache
  const std::byte* keys = nullptr;  // of this KV head in page 0
  const std::byte* values = nullptr;
  const uint32_t* pages = nullptr;  // of the sequence
  uint64_t page_bytes = 0, row_bytes = 0;
  uint32_t page_tokens = 0;
  float* scratch = nullptr;  // attention_scratch(head_dim) floats of this worker
};

/// cos, sin: [rot_dim / 2] of the token's position.
struct RopeArgs {
  const float* x = nullptr;  // [n_heads * head_dim]
  float* out = nullptr;
  const float* cos = nullptr;
  const float* sin = nullptr;
  uint32_t n_heads = 0, head_dim = 0, rot_dim = 0, interleaved = 0;
};

inline constexpr uint32_t kPanelRows = 16;     // rows of a panel (panels.h)
inline constexpr uint32_t kMaxPanelTile = 16;  // tokens of a tile at most
inline constexpr uint32_t kSuperBlock = 256;   // columns of activations that share a float scale

/// m tokens in the fewest tiles of at most `most`, as even as possible: 13 = 7 + 6, not 12 + 1.
struct TokenTiles {
  uint32_t count, base, extra;
  TokenTiles(uint32_t m, uint32_t most) : count((m + most - 1) / most), base(m / count), extra(m % count) {}
  uint32_t start(uint32_t i) const { return i * base + (i < extra ? i : extra); }
  uint32_t size(uint32_t i) const { return base + (i < extra ? 1 : 0); }
};

/// 16 rows x a tile of n tokens: c[t][r] = (first ? 0 : c[t][r]) + products over `k` columns.
struct PanelTileArgs {
  const uint8_t* w;  // blocks of the panel
  const uint8_t* x;  // quantised activations of the tile (quantize.inl)
  uint32_t k;        // columns, whole blocks
  bool first;
  float* c;  // [n] rows, ldc apart
  size_t ldc;
  uint32_t ahead;  // bytes of weights to ask for in advance
  // Of a WideKernel: floats from c to that of the second panel; activations of the tile that comes next.
  size_t second = 0;
  const uint8_t* next = nullptr;
};
using PanelTileFn = void (*)(const PanelTileArgs& args);

/// What a product makes of its activations.
enum class ActivationType : uint32_t { kInt8, kBf16, kF32 };

inline constexpr uint32_t kWideTokens = 32;           // from so many tokens on, panels are unpacked first
inline constexpr uint32_t kMaxWideTile = 12;          // tokens
inline constexpr uint32_t kWideBytes = 32 * 2 * 384;  // of unpacked panels at most

/// Tiles of two unpacked panels x many tokens (panel_wide.inl).
struct WideKernel {
  uint32_t tile = 0;     // tokens; 0: there is none
  uint32_t columns = 0;  // that are unpacked at a time: whole blocks, a part of a K-block
  void (*unpack)(const uint8_t* a, const uint8_t* b, uint32_t columns, uint32_t ahead, uint8_t* out) = nullptr;
  PanelTileFn tiles[kMaxWideTile + 1] = {};  // index: tokens
};

/// How a format's panels are multiplied, and what activations they want.
struct PanelKernel {
  ActivationType type;
  uint32_t group;  // columns of an integer sum; 0 for the other types
  int32_t zero;    // what codes have too much
  int32_t lacks;   // how often sums lack the magnitudes of negative activations
  uint32_t max_tile;
  PanelTileFn tiles[kMaxPanelTile + 1];  // index: tokens
  WideKernel wide = {};

  bool is_wide(uint32_t m) const { return wide.tile > 0 && m >= kWideTokens; }
  /// Tokens of a tile when there are m.
  uint32_t tile(uint32_t m) const { return is_wide(m) ? wide.tile : max_tile; }
  /// Bytes of a token's activations in k columns, a multiple of the group.
  size_t token_bytes(uint32_t k) const {
    if (type != ActivationType::kInt8) return size_t{k} * (type == ActivationType::kBf16 ? 2 : 4);
    return size_t{(k + kSuperBlock - 1) / kSuperBlock} * 4 + size_t{k / group} * (group + 12);
  }
};

/// Tokens [begin, end) of m to the activations of a kernel.
struct QuantizeArgs {
  const float* const* x = nullptr;  // [m] rows of k
  uint32_t m = 0, k = 0, padded_k = 0;
  uint32_t begin = 0, end = 0;
  const PanelKernel* kernel = nullptr;
  uint8_t* out = nullptr;  // [m] * token_bytes
};

/// Panels [begin, end) of y = x W^T + bias + residual, or of act(x G^T) * (x U^T).
struct PanelArgs {
  const PanelKernel* kernel = nullptr;
  const uint8_t* x = nullptr;  // quantised, [m]
  float* const* y = nullptr;   // [m] rows; row r of the panels is column r
  uint32_t m = 0, k = 0;       // columns, padded
  const uint8_t* w = nullptr;
  uint32_t block = 0, block_bytes = 0, k_block = 0, panels = 0;  // of the whole weight
  uint32_t first = 0;                                            // panel of row 0
  uint32_t up = 0;                                               // panels from gate to up; 0: no GLU
  uint32_t begin = 0, end = 0;                                   // counted from `first`
  uint32_t rows = 0;                                             // columns of y; fewer than the panels' if padded
  const float* bias = nullptr;                                   // [rows]
  const float* const* residual = nullptr;                        // [m] rows
  uint32_t activation = 0;
  uint32_t ahead = 0;        // bytes of weights to ask for in advance
  float* scratch = nullptr;  // panel_scratch(m) floats of this worker
};

/// Panels that are gone through side by side: the fewer the tokens, the longer are the runs of memory; their sums, 64
/// KiB or 128 floats a token, stay in the L2 cache. Even with many tokens: panels are unpacked in pairs.
inline uint32_t panels_at_once(uint32_t m) {
  const uint32_t n = 1024 / (m > 0 ? m : 1) / 2 * 2;
  return n < 8 ? 8 : n > 256 ? 256 : n;
}
inline size_t panel_scratch(uint32_t m) {
  return size_t{2} * kPanelRows * (m < 128 ? 1024 : 8 * m);
}

struct KernelTable {
  const char* name;
  uint32_t lanes;  // floats of a vector

  FormatKernels (*format)(Format format);
  void (*linear)(const LinearArgs& args);
  size_t (*linear_scratch)();  // floats
  void (*store_key)(const KvStoreArgs& args);
  void (*store_value)(const KvStoreArgs& args);
  // Products with panels (panels.h); a format without a kernel (null) stays in the file's layout.
  const PanelKernel* (*panel_kernel)(Format format);
  void (*quantize)(const QuantizeArgs& args);
  void (*linear_panels)(const PanelArgs& args);
  void (*attention)(const AttentionArgs& args);
  // The same in two steps, to spread over threads: the parts of each block, [n_rows] of attention_part floats, and
  // what comes of those of all blocks that the rows see, [n_blocks][n_rows]. The same bits.
  void (*attention_block)(const AttentionArgs& args, uint32_t block, float* parts);
  void (*attention_join)(const AttentionArgs& args, const float* parts, uint32_t n_blocks);
  size_t (*attention_scratch)(uint32_t head_dim);  // floats
  size_t (*attention_part)(uint32_t head_dim);     // floats
  void (*rope)(const RopeArgs& args);
  /// out = x / sqrt(mean(x^2) + eps) * w, [n].
  void (*rms_norm)(const float* x, const float* w, uint32_t n, float eps, float* out);
  // Element by element, [n]; out may be an input.
  void (*add)(const float* x, const float* y, uint32_t n, float* out);
  void (*scale)(const float* x, float factor, uint32_t n, float* out);
  void (*softcap)(const float* x, float cap, uint32_t n, float* out);
  void (*glu)(uint32_t activation, const float* gate, const float* up, uint32_t n, float* out);
  void (*add_scaled)(const float* x, float factor, uint32_t n, float* out);  // out += factor * x

  // The machine's limits (roofs.h).
  double (*peak)(uint32_t iterations, float x, float* result);  // f32 operations done
  double (*peak_int8)(uint32_t iterations, float* result);      // of 8-bit products with 4-bit codes
  double (*peak_bf16)(uint32_t iterations, float* result);      // of products of bf16; 0 where f32 is no slower
  float (*read)(const float* from, size_t bytes);               // bytes: a multiple of 1 KiB
};

/// The table called `isa`, or the best that this machine can execute when `isa` is empty.
/// Errors: kUnsupported, listing those that this machine can execute.
Result<const KernelTable*> choose_kernels(std::string_view isa);
/// Names of the tables this machine can execute, the best last.
std::vector<std::string_view> available_isas();

}  // namespace tern::backends::cpu
