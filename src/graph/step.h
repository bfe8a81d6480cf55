// StepParams: the one dynamic block of a step. A step is T tokens of any mix of sequences (decode tokens, chunks of
// prompts); continuous batching, chunked prefill and speculative checks are all this one mechanism.
//
// Where the backend samples, several steps may be in flight: a step takes a token that an earlier one sampled from
// where that one left it, on the device. Those places are the words of the plan's state slot,
//
//   [places = max_seqs][kSampledTokens]   u32, zero when the plan is loaded
//
// and the token of position p of the sequence that sits in `place` is in word place * kSampledTokens + p %
// kSampledTokens. A token in StepParams is therefore an id (>= 0) or such a word w, written as -1 - w.
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

/// Tokens [first, first + n) of the step, n >= 1, all of one sequence: their hidden states, which are what the head
/// reads, are summed up in a row of the output "pooled". An embedding is made of such sums.
struct StepPool {
  uint32_t first, n;
};

/// Positions whose sampled tokens a sequence keeps on the device: the most steps that can be in flight.
inline constexpr uint32_t kSampledTokens = 8;
/// Tokens that penalties can look back on when the device samples; a request that wants more is sampled on the host.
inline constexpr uint32_t kMaxRecent = 128;

constexpr uint32_t sampled_word(uint32_t place, uint32_t position) {
  return place * kSampledTokens + position % kSampledTokens;
}
constexpr int32_t sampled_token(uint32_t word) {
  return -1 - static_cast<int32_t>(word);
}

/// How a token is drawn from logits l. In this order:
///   penalties   each distinct token among the recent ones, occurring n times: l = l > 0 ? l / repetition : l *
///               repetition; then l -= n * frequency + presence
///   mask        tokens whose bit is 0 are out
///   greedy      when temperature is 0: the largest, of equals the lowest id, and nothing below happens
///   top_k       the k largest stay, of equals the lowest ids; 0: all
///   top_p       of these, the fewest largest whose softmax (at temperature 1) sums to at least top_p; 1: all
///   min_p       of these, those with l >= max + ln min_p; 0: all
///   draw        p = softmax(l / temperature) over who is left, in order of ids; the first whose running sum exceeds u,
///               where u in [0, 1) is bits 11 .. 63 of the first two words of philox4x32-10(counter = (position, 0, 0,
///               0), key = seed), the second word on top (engine/philox.h)
struct SampleSettings {
  float temperature = 0;
  uint32_t top_k = 0;
  float top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1, frequency_penalty = 0, presence_penalty = 0;
  uint64_t seed = 0;
};

/// The drawing of one row's token. The token goes to the output "tokens" and to its word of the state. When a logit is
/// NaN or +infinity, or nothing is left to draw from, the output is kNoToken and the word 0.
struct StepSample {
  SampleSettings settings;
  uint32_t position = 0;                    // the new token's, in its sequence
  uint32_t word = 0;                        // of the state
  uint32_t first_recent = 0, n_recent = 0;  // into StepParams.recent; n_recent <= kMaxRecent
  bool masked = false;                      // StepParams.masks has bits for this row
};
inline constexpr int32_t kNoToken = -1;

struct StepParams {
  std::span<const int32_t> tokens;       // [T] ids checked against the vocabulary by whoever fills this, or words
  std::span<const uint32_t> positions;   // [T] position within its sequence; ascending within a sequence
  std::span<const uint32_t> sequences;   // [T] index into seqs
  std::span<const StepSequence> seqs;    // [S]
  std::span<const uint32_t> page_table;  // page ids, all sequences one after the other
  std::span<const uint32_t> rows;        // [R] indices into [0, T): whose logits are wanted, ascending

  // For plans with an output "tokens" only.
  std::span<const StepSample> samples = {};  // [R], or empty: nothing is sampled
  std::span<const int32_t> recent = {};      // tokens that penalties look back on, of all rows
  std::span<const uint32_t> masks = {};  // [R, ceil(vocab / 32)]: bit i % 32 of word i / 32 allows token i; or empty
  bool read_logits = true;               // false: nobody will poll for "logits", which spares their copy

  std::span<const StepPool> pools = {};  // [P], P <= S, ascending, no two overlap
};

}  // namespace tern::graph
