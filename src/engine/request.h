// What a caller asks of the engine and what it gets back.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tern::engine {

using RequestId = uint64_t;

/// Order of application: logit bias, penalties, mask, (temperature 0: greedy), top-k, typical, top-p, min-p,
/// temperature, draw. Where the device samples, logit_bias, typical_p, logprobs and penalties that look back on more
/// than graph::kMaxRecent tokens have the logits read back for the host to draw from, which is slower.
struct SamplingOptions {
  float temperature = 0.8f;  // 0: greedy
  uint32_t top_k = 40;       // 0: off
  float top_p = 0.95f;       // 1: off
  float min_p = 0.05f;       // 0: off
  float typical_p = 1.0f;    // 1: off
  float repetition_penalty = 1.0f;
  float frequency_penalty = 0.0f;
  float presence_penalty = 0.0f;
  uint32_t penalty_last_n = 64;  // tokens looked back on, prompt included
  std::vector<std::pair<int32_t, float>> logit_bias;
  uint64_t seed = 0;      // same seed, same text, whatever else runs
  uint32_t logprobs = 0;  // top alternatives reported with each token, 0..20
};

/// Says which tokens may follow `generated`: clears the bits of the others in `allowed`, [ceil(vocab / 32)] words, bit
/// i % 32 of word i / 32 for token i, all set on entry. The same for the same tokens: it may be asked again. Called by
/// pump(); end tokens are tokens like others.
using TokenMask = std::function<void(std::span<const int32_t> generated, std::span<uint32_t> allowed)>;

/// How the hidden states of a text, one of each token and as the head reads them (after the final norm), become one
/// vector.
enum class Pooling {
  kMean,  // their mean
  kLast,  // that of the last token, the only one to have seen the whole text
};

struct EmbeddingOptions {
  Pooling pooling = Pooling::kMean;
  bool normalise = true;  // to a Euclidean length of 1
};

/// A text to be continued; or, with `embedding`, to be embedded: then only the prompt counts.
struct Request {
  std::vector<int32_t> prompt;  // at least one token
  SamplingOptions sampling;
  uint32_t max_tokens = UINT32_MAX;  // generated tokens at most; 0: nothing is computed
  std::vector<std::string> stop;     // stop strings; the text before them is given out, they are not
  std::vector<int32_t> stop_tokens;  // beyond the model's own end tokens; not reported either
  bool ignore_eos = false;           // the model's end tokens are tokens like others
  TokenMask mask = {};               // for constrained output; null: every token is allowed
  std::optional<EmbeddingOptions> embedding = {};
};

/// kContext: the next token has no place: the context is full, or the sequence alone fills the whole KV pool.
enum class StopReason { kEnd, kLength, kStop, kContext, kCancelled, kError };
/// "end", "length", "stop", "context", "cancelled", "error".
const char* stop_reason_name(StopReason reason);

struct TokenLogprob {
  int32_t token;
  float logprob;  // natural logarithm, of the distribution after bias and penalties, before temperature and filters
};

struct Event {
  enum class Kind { kToken, kText, kEmbedding, kFinished, kDevice };
  RequestId request = 0;  // never 0, but for kDevice
  Kind kind = Kind::kToken;
  int32_t token = -1;                   // kToken: the id (an end token is not reported)
  std::string text;                     // kText: whole UTF-8 characters that are sure not to be part of a stop string;
                                        // kDevice: a sentence for people: a device was lost, or another one found
  std::optional<TokenLogprob> logprob;  // kToken, when asked for
  std::vector<TokenLogprob> top_logprobs;
  std::vector<float> embedding = {};     // kEmbedding: the one such event of its request
  StopReason reason = StopReason::kEnd;  // kFinished
  std::string error;                     // kFinished with kError
};

}  // namespace tern::engine
