// StepParams: the one dynamic block of a step. A step is T tokens of any mix of sequences (decode tokens, chunks of
// prompts); continuous batching, chunked prefill and speculative checks are all this one mechanism.
#pragma once

#include <cstdint>
#include <span>

namespace tern::graph {

/// One sequence of the step. Its keys and values lie in pages page_table[first_page ...]; page i holds positions
/// [i * page_tokens, (i + 1) * page_tokens).
struct StepSequence {
  uint32_t kv_len;      // tokens in the cache after this step
  uint32_t first_page;  // index into page_table
};

struct StepParams {
  std::span<const int32_t> tokens;       // [T] ids, checked against the vocabulary by whoever fills this
  std::span<const uint32_t> positions;   // [T] position within its sequence; ascending within a sequence
  std::span<const uint32_t> sequences;   // [T] index into seqs
  std::span<const StepSequence> seqs;    // [S]
  std::span<const uint32_t> page_table;  // page ids, all sequences one after the other
  std::span<const uint32_t> rows;        // [R] indices into [0, T): whose logits are wanted, ascending
};

}  // namespace tern::graph
