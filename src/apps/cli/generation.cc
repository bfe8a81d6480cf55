#include "apps/cli/generation.h"

#include <charconv>
#include <random>

#include "apps/cli/terminal.h"

namespace tern::cli {

void add_generation_options(CLI::App& command, GenerationOptions& options) {
  engine::SamplingOptions& s = options.sampling;
  s.seed = std::random_device{}();
  const char* group = "Sampling";
  command.add_flag("--greedy", options.greedy, "Always the likeliest token (temperature 0)")->group(group);
  command.add_option("--temperature", s.temperature, "Flatter above 1, sharper below; 0 is greedy")
      ->capture_default_str()
      ->group(group);
  command.add_option("--top-k", s.top_k, "Only the k likeliest tokens; 0: off")->capture_default_str()->group(group);
  command.add_option("--top-p", s.top_p, "Only the likeliest tokens that together have this probability; 1: off")
      ->capture_default_str()
      ->group(group);
  command.add_option("--min-p", s.min_p, "Only tokens at least this share as likely as the likeliest; 0: off")
      ->capture_default_str()
      ->group(group);
  command.add_option("--typical", s.typical_p, "Locally typical sampling; 1: off")->capture_default_str()->group(group);
  command.add_option("--repeat-penalty", s.repetition_penalty, "Divides logits of tokens already there; 1: off")
      ->capture_default_str()
      ->group(group);
  command.add_option("--frequency-penalty", s.frequency_penalty, "Per occurrence, subtracted")
      ->capture_default_str()
      ->group(group);
  command.add_option("--presence-penalty", s.presence_penalty, "Once for tokens already there, subtracted")
      ->capture_default_str()
      ->group(group);
  command.add_option("--penalty-last", s.penalty_last_n, "Tokens that penalties look back on")
      ->capture_default_str()
      ->group(group);
  command.add_option("--logit-bias", options.logit_bias, "ID:BIAS, added to a token's logit; repeatable")
      ->allow_extra_args(false)
      ->group(group);
  command.add_option("--seed", s.seed, "Same seed, same text; default: random")->check(is_seed())->group(group);
  command.add_option("-n,--max-tokens", options.max_tokens, "Tokens to generate at most; 0: until the model ends")
      ->capture_default_str();
  command.add_option("--stop", options.stop, "Stop before this text; repeatable")->allow_extra_args(false);
  command.add_option("--stop-token", options.stop_tokens, "Stop at this token id; repeatable")
      ->allow_extra_args(false)
      ->check(CLI::Range(0, INT32_MAX));
  command.add_flag("--ignore-eos", options.ignore_eos, "Go on after the model's end token");
}

Result<engine::Request> make_request(std::vector<int32_t> prompt, const GenerationOptions& options) {
  engine::Request request;
  request.prompt = std::move(prompt);
  request.sampling = options.sampling;
  if (options.greedy) request.sampling.temperature = 0;
  for (const std::string& entry : options.logit_bias) {
    int32_t id = 0;
    float bias = 0;
    const char* end = entry.data() + entry.size();
    const auto [colon, id_error] = std::from_chars(entry.data(), end, id);
    const bool has_id = id_error == std::errc() && colon < end && *colon == ':';
    const auto [rest, bias_error] = std::from_chars(has_id ? colon + 1 : end, end, bias);
    if (!has_id || bias_error != std::errc() || rest != end) {
      return fail(ErrorCode::kInvalidArgument, "--logit-bias is \"{}\", expected ID:BIAS such as 13:-100.", entry);
    }
    request.sampling.logit_bias.emplace_back(id, bias);
  }
  if (options.max_tokens != 0) request.max_tokens = options.max_tokens;
  request.stop = options.stop;
  request.stop_tokens = options.stop_tokens;
  request.ignore_eos = options.ignore_eos;
  return request;
}

Result<Generated> generate(engine::Engine& engine, engine::Request request,
                           const std::function<void(const std::string&)>& on_text) {
  Generated out;
  out.prompt_tokens = request.prompt.size();
  const bool keep_events = request.sampling.logprobs > 0;
  const double start = seconds_now();
  double last = start;
  const engine::RequestId id = TRY(engine.submit(std::move(request)));
  std::vector<engine::Event> events;
  for (bool finished = false; !finished;) {
    events.clear();
    engine.pump(events);
    for (engine::Event& event : events) {
      if (event.kind == engine::Event::Kind::kDevice) fmt::print(stderr, "tern: {}\n", event.text);
      if (event.request != id) continue;
      if (event.kind == engine::Event::Kind::kText) {
        out.text += event.text;
        if (on_text) on_text(event.text);
      } else if (event.kind == engine::Event::Kind::kToken) {
        last = seconds_now();
        if (out.tokens.empty()) out.prefill_s = last - start;
        out.tokens.push_back(event.token);
        if (keep_events) out.events.push_back(std::move(event));
      } else {
        finished = true;
        out.reason = event.reason;
        if (event.reason == engine::StopReason::kError) return fail(ErrorCode::kInternal, "{}", event.error);
      }
    }
    if (!finished && take_interrupt()) engine.cancel(id);
    if (!finished) engine.wait();
  }
  if (out.tokens.empty()) out.prefill_s = seconds_now() - start;
  out.decode_s = out.tokens.empty() ? 0 : last - start - out.prefill_s;
  return out;
}

}  // namespace tern::cli
