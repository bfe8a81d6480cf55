// One request from prompt to end: the loop that run, chat and bench share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/cli/common.h"
#include "engine/request.h"

namespace tern::cli {

/// --temperature, --top-k, ... --seed, --greedy, --stop, -n.
struct GenerationOptions {
  engine::SamplingOptions sampling;
  bool greedy = false;
  uint32_t max_tokens = 0;  // 0: until the model ends
  bool ignore_eos = false;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_tokens;
  std::vector<std::string> logit_bias;  // "ID:BIAS"
};
void add_generation_options(CLI::App& command, GenerationOptions& options);

/// The request these options make of a prompt. Errors: kInvalidArgument for a bad --logit-bias.
Result<engine::Request> make_request(std::vector<int32_t> prompt, const GenerationOptions& options);

struct Generated {
  std::string text;
  std::vector<int32_t> tokens;
  std::vector<engine::Event> events;  // the token events, when logprobs were asked for
  engine::StopReason reason = engine::StopReason::kEnd;
  size_t prompt_tokens = 0;
  double prefill_s = 0;  // submit to first token
  double decode_s = 0;   // first token to last
  double prefill_tok_s() const { return prefill_s > 0 ? static_cast<double>(prompt_tokens) / prefill_s : 0; }
  double decode_tok_s() const { return decode_s > 0 ? static_cast<double>(tokens.size() - 1) / decode_s : 0; }
};

/// Runs one request to its end. on_text gets pieces as they come; Ctrl-C cancels (reason kCancelled).
Result<Generated> generate(engine::Engine& engine, engine::Request request,
                           const std::function<void(const std::string&)>& on_text);

}  // namespace tern::cli
