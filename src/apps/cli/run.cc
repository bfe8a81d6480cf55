// tern run: one answer, for people (text streams to stdout) and for scripts (--json: one object on stdout).

#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/generation.h"
#include "apps/cli/terminal.h"
#include "engine/prompt.h"

namespace tern::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  GenerationOptions generation;
  std::string prompt;
  std::string tokens;
  std::string messages;
  std::string system;
  bool chat = false;
  bool json = false;
};

// The prompt in ids: --tokens as given, --messages or --chat through the template, else raw text.
Result<std::vector<int32_t>> encode(const engine::Model& model, const RunOptions& options) {
  if (!options.tokens.empty()) return parse_tokens(options.tokens);
  if (!options.messages.empty()) {
    const bool file = options.messages.starts_with('@');
    const std::string text = file ? TRY(read_text(options.messages.substr(1))) : options.messages;
    return engine::encode_chat(model, TRY_CTX(parse_json(text), "while reading --messages"));
  }
  const std::string prompt = options.prompt.empty() ? TRY(read_text("-")) : options.prompt;
  if (!options.chat) return engine::encode_prompt(model, prompt, /*special=*/false);
  Json messages = Json::array();
  if (!options.system.empty()) messages.push_back({{"role", "system"}, {"content", options.system}});
  messages.push_back({{"role", "user"}, {"content", prompt}});
  return engine::encode_chat(model, messages);
}

Json logprobs_json(const Generated& generated) {
  Json list = Json::array();
  for (const engine::Event& event : generated.events) {
    Json top = Json::array();
    for (const auto& [token, logprob] : event.top_logprobs) top.push_back({{"token", token}, {"logprob", logprob}});
    list.push_back({{"token", event.token},
                    {"logprob", event.logprob ? Json(event.logprob->logprob) : Json(nullptr)},
                    {"top", std::move(top)}});
  }
  return list;
}

Result<void> run(const RunOptions& options) {
  catch_interrupts();
  const OpenedModel opened = TRY(open_model(options.model, {.max_seqs = 1}));
  auto prompt = TRY(encode(*opened.model, options));
  engine::Request request = TRY(make_request(std::move(prompt), options.generation));
  const bool stream = !options.json;
  const Generated g = TRY(generate(*opened.model->engine, std::move(request), [&](const std::string& piece) {
    if (stream) std::cout << piece << std::flush;
  }));
  if (stream) {
    // Without a tokenizer there is no text: show the ids.
    if (!opened.model->tokenizer) fmt::print("{}", fmt::join(g.tokens, ","));
    std::cout << std::endl;
    if (stderr_is_terminal()) {
      fmt::print(stderr, "{}\n",
                 styled(fmt::format("[{} prompt tokens at {:.0f} tok/s, {} tokens at {:.1f} tok/s, {}]", g.prompt_tokens,
                                    g.prefill_tok_s(), g.tokens.size(), g.decode_tok_s(),
                                    engine::stop_reason_name(g.reason)),
                        Style::kDim, 2));
    }
    return {};
  }
  Json out = {{"text", g.text},
              {"tokens", g.tokens},
              {"prompt_tokens", g.prompt_tokens},
              {"stop_reason", engine::stop_reason_name(g.reason)},
              {"prefill_tok_s", g.prefill_tok_s()},
              {"decode_tok_s", g.decode_tok_s()},
              {"load_s", opened.load_s},
              {"peak_rss_bytes", peak_rss_bytes()}};
  if (options.generation.sampling.logprobs > 0) out["logprobs"] = logprobs_json(g);
  std::cout << out.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  return {};
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Continue a text or answer once");
  add_model_options(*command, options->model);
  command->add_option("-p,--prompt", options->prompt, "The text to continue; default: standard input");
  command->add_option("--tokens", options->tokens, "Token ids instead of text: 1,2,3 or @file; nothing is added");
  command->add_option("--messages", options->messages,
                      "A conversation as JSON, [{\"role\": \"user\", \"content\": ...}], or @file");
  command->add_flag("--chat", options->chat, "Put the text through the model's chat template");
  command->add_option("--system", options->system, "System message for --chat");
  command->add_flag("--json", options->json, "Print one JSON object and nothing else on stdout");
  add_generation_options(*command, options->generation);
  command->add_option("--logprobs", options->generation.sampling.logprobs,
                      "With --json: log probability of each token and of the N likeliest, at most 20");
  command->callback([options, &exit_code] {
    if (auto result = run(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
