// What a caller asks of the engine and what it gets back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tern::engine {

using RequestId = uint64_t;

/// Order of application: logit bias, penalties, (temperature 0: greedy), top-k, typical, top-p, min-p, temperature,
/// draw.
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

struct Request {
  std::vector<int32_t> prompt;  // at least one token
  SamplingOptions sampling;
  uint32_t max_tokens = UINT32_MAX;  // generated tokens at most; 0: nothing is computed
  std::vector<std::string> stop;     // stop strings; the text before them is given out, they are not
  std::vector<int32_t> stop_tokens;  // beyond the model's own end tokens; not reported either
  bool ignore_eos = false;           // the model's end tokens are tokens like others
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
  enum class Kind { kToken, kText, kFinished };
  RequestId request = 0;
  Kind kind = Kind::kToken;
  int32_t token = -1;                   // kToken: the id (an end token is not reported)
  std::string text;                     // kText: whole UTF-8 characters that are sure not to be part of a stop string
  std::optional<TokenLogprob> logprob;  // kToken, when asked for
  std::vector<TokenLogprob> top_logprobs;
  StopReason reason = StopReason::kEnd;  // kFinished
  std::string error;                     // kFinished with kError
};

}  // namespace tern::engine
