// tern run: one answer, for people (text streams to stdout) and for scripts (--json: one object on stdout).

#include <iostream>
#include <optional>

#include "apps/cli/common.h"
#include "apps/cli/generation.h"
#include "apps/cli/terminal.h"
#include "engine/prompt.h"

namespace tern::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  GenerationOptions generation;
  std::optional<std::string> prompt;
  std::string tokens;
  std::string messages;
  std::string system;
  bool chat = false;
  bool json = false;
};

// text: JSON or @file. Templates read whatever they are given, so what is no conversation is refused here.
Result<Json> parse_messages(const std::string& text) {
  const bool file = text.starts_with('@');
  const std::string source = file ? TRY(read_text(text.substr(1))) : text;
  Json messages = TRY_CTX(parse_json(source), "while reading --messages");
  bool good = messages.is_array() && !messages.empty();
  for (const Json& message : messages) {
    const Json* role = json_find(message, "role");
    good = good && role && role->is_string() && message.contains("content");
  }
  if (good) return messages;
  return fail(ErrorCode::kInvalidArgument,
              "--messages is not a list such as [{{\"role\": \"user\", \"content\": \"Hello\"}}].");
}

// The prompt in ids: --tokens as given, --messages or --chat through the template, else raw text.
Result<std::vector<int32_t>> encode(const engine::Model& model, const RunOptions& options) {
  if (!options.tokens.empty()) return parse_tokens(options.tokens);
  const bool needs_template = options.chat || !options.messages.empty();
  if (!model.tokenizer) return no_text(options.model.path, "tokenizer (--tokens takes ids)", model.text_problem);
  if (needs_template && !model.chat_template) return no_text(options.model.path, "chat template", model.text_problem);
  if (!options.messages.empty()) return engine::encode_chat(model, TRY(parse_messages(options.messages)));
  if (!options.prompt && stdin_is_terminal()) fmt::print(stderr, "The prompt, ended by Ctrl-D:\n");
  const std::string prompt = options.prompt ? *options.prompt : TRY(read_text("-"));
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

void print_json(const OpenedModel& opened, const RunOptions& options, const Generated& g) {
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
}

// What follows the streamed text.
void print_end(const engine::Model& model, const Generated& g) {
  if (!model.tokenizer) fmt::print("{}", fmt::join(g.tokens, ","));  // there was no text
  std::cout << std::endl;
  if (!stderr_is_terminal()) return;
  fmt::print(
      stderr, "{}\n",
      styled(fmt::format("[{} prompt tokens at {:.0f} tok/s, {} tokens at {:.1f} tok/s, ended by {}]", g.prompt_tokens,
                         g.prefill_tok_s(), g.tokens.size(), g.decode_tok_s(), engine::stop_reason_name(g.reason)),
             Style::kDim, 2));
}

Result<void> run(const RunOptions& options, bool& stopped_by_user) {
  const OpenedModel opened = TRY(open_model(options.model, {.max_seqs = 1}));
  auto prompt = TRY(encode(*opened.model, options));
  catch_interrupts();  // Ctrl-C ends the answer; what there is of it is printed
  engine::Request request = TRY(make_request(std::move(prompt), options.generation));
  const Generated g = TRY(generate(*opened.model->engine, std::move(request), [&](const std::string& piece) {
    if (!options.json) std::cout << piece << std::flush;
  }));
  TRY(opened.model->files.weights.check_unchanged());
  if (options.json) {
    print_json(opened, options, g);
  } else {
    print_end(*opened.model, g);
  }
  stopped_by_user = g.reason == engine::StopReason::kCancelled;
  return {};
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", "Continue a text or answer once");
  add_model_options(*command, options->model);
  add_trace_option(*command, options->model);
  auto* prompt = command->add_option("-p,--prompt", options->prompt, "The text to continue; default: standard input");
  auto* tokens =
      command->add_option("--tokens", options->tokens, "Token ids instead of text: 1,2,3 or @file; nothing is added");
  auto* messages = command->add_option("--messages", options->messages,
                                       "A conversation as JSON, [{\"role\": \"user\", \"content\": ...}], or @file");
  tokens->excludes(prompt)->excludes(messages);
  messages->excludes(prompt);
  command->add_flag("--chat", options->chat, "Put the text through the model's chat template");
  command->add_option("--system", options->system, "System message for --chat");
  command->add_flag("--json", options->json, "Print one JSON object and nothing else on stdout");
  add_generation_options(*command, options->generation);
  command->add_option("--logprobs", options->generation.sampling.logprobs,
                      "With --json: log probability of each token and of the N likeliest, at most 20");
  command->footer(
      "Examples:\n"
      "  tern run model.gguf -p 'The capital of France is' -n 20\n"
      "  tern run model.gguf --chat -p 'What is 12 * 12?'             the question through the chat template\n"
      "  git diff | tern run model.gguf --chat --system 'Write a commit message for this diff.'\n"
      "  tern run model.gguf --tokens 1,15043,3186 --greedy -n 32 --json   ids in, ids out\n\n"
      "The JSON object has text, tokens (without the end token), prompt_tokens, stop_reason (end, length, stop,\n"
      "context; cancelled by Ctrl-C), prefill_tok_s, decode_tok_s, load_s, peak_rss_bytes, and logprobs if asked for.");
  command->callback([options, &exit_code] {
    bool stopped_by_user = false;
    if (auto result = run(*options, stopped_by_user); !result) exit_code = report(result.error());
    if (stopped_by_user) exit_code = kFailed;
  });
}

}  // namespace tern::cli
