// KvLayout: where a key or value vector lies in the paged cache, and how it is stored. A page holds page_tokens
// positions of one layer as [n_kv_heads][page_tokens][head_dim], so that one head's keys are contiguous; a vector of
// head_dim values is one row of the weight format f32, f16 or q8_0 (blocks of an f16 scale and 32 int8).
#pragma once

#include "backends/backend.h"

namespace tern::backends {

struct KvLayout {
  Format format = Format::kF32;
  uint32_t n_kv_heads = 0;
  uint32_t page_tokens = 0;
  uint32_t head_dim = 0;
  uint64_t row_bytes = 0;   // one vector of head_dim values
  uint64_t page_bytes = 0;  // of keys; as many of values

  /// Errors: kUnsupported when head_dim is not a multiple of the format's block (q8_0: 32).
  static Result<KvLayout> make(const graph::Plan& plan);

  /// Byte offset in a layer's buffer of the vector of `head` in slot `slot` < page_tokens of page `page`.
  uint64_t offset(uint32_t page, uint32_t head, uint32_t slot) const {
    return page * page_bytes + (uint64_t{head} * page_tokens + slot) * row_bytes;
  }
  /// The same for a position of a sequence of the step.
  uint64_t offset(const graph::StepParams& step, uint32_t sequence, uint32_t head, uint32_t position) const {
    const uint32_t page = step.page_table[step.seqs[sequence].first_page + position / page_tokens];
    return offset(page, head, position % page_tokens);
  }

  /// Stores in[head_dim] at out[row_bytes]. f16 rounds to nearest even, overflow becomes infinity. q8_0: per 32 values
  /// d = max|x| / 127 rounded to f16, codes round(x * 127 / max|x|). Unlike formats::encode_row it takes whatever a
  /// model computes, NaN included (whose code is 0).
  void store(std::span<const float> in, std::byte* out) const;
};

}  // namespace tern::backends
