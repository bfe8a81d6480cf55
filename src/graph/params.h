// The params block: what a device sees of StepParams, one array of u32 written once a step. Offsets of the parts depend
// on the plan's key alone, so that shaders have them as constants:
//
//   header [16]          T, R, S, max_kv, page table entries, P, then zeros
//   tokens [max_tokens]  an id, or -1 - slot (as i32): the token that an earlier step sampled into that state slot
//   positions [max_tokens], sequences [max_tokens]
//   seqs [max_seqs][4]   kv_len, first_page, 0, 0
//   rows [max_rows]      indices into [0, T)
//   pools [max_seqs][2]  first token, how many
//   samples [max_rows][16]   how a row's token is drawn, in the order of StepSample: temperature, top_k, top_p, min_p,
//                        repetition, frequency and presence penalty, seed low and high word, position, word of the
//                        state, flags (kSampled, kMasked), where its recent tokens lie, how many, where its mask lies,
//                        0
//   pages [...]          the page table, then the recent tokens of all rows, then the masks, at most max_pages +
//                        max_rows * (kMaxRecent + ceil(vocab / 32)) words; places are words from the block's start
//
// A step writes a prefix of the block; what lies behind the counts within a part is left from before.
#pragma once

#include <cstdint>
#include <span>

#include "graph/plan.h"
#include "graph/step.h"

namespace tern::graph {

/// Offsets in words.
struct ParamsLayout {
  static constexpr uint32_t kHeader = 16, kSequence = 4, kPool = 2, kSample = 16;

  uint32_t tokens, positions, sequences, seqs, rows, pools, samples, pages;
  uint32_t mask_words;  // of one row
  uint32_t words;       // of the whole block in the worst case

  static constexpr uint32_t kSampled = 1, kMasked = 2;  // flags of a sample

  /// vocab: of the logits that are sampled; 0 where none are.
  static ParamsLayout of(const PlanKey& key, uint32_t vocab);
  uint64_t bytes() const { return uint64_t{words} * 4; }
};

StepCounts count(const StepParams& step);

/// The step's lists fit into the block. Errors: kInvalidArgument.
Result<void> check_params(const ParamsLayout& layout, const PlanKey& key, const StepParams& step);

/// Writes a step that check_step and check_params have seen, and returns the words in use.
/// out: [layout.words] u32.
std::span<const uint32_t> write_params(const ParamsLayout& layout, const StepParams& step, std::span<uint32_t> out);

}  // namespace tern::graph
