// tern embed: texts to vectors, all texts through one engine side by side.

#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/terminal.h"
#include "engine/prompt.h"

namespace tern::cli {
namespace {

struct EmbedOptions {
  ModelOptions model;
  std::vector<std::string> prompts;
  std::string tokens;
  bool lines = false;
  std::string pooling = "mean";
  bool keep_length = false;
  bool json = false;
};

constexpr uint32_t kMostAtOnce = 16;  // texts in a step

Result<std::vector<std::string>> read_texts(const EmbedOptions& options) {
  if (!options.prompts.empty()) return options.prompts;
  if (stdin_is_terminal()) fmt::print(stderr, "The text, ended by Ctrl-D:\n");
  const std::string input = TRY(read_text("-"));
  if (!options.lines) return std::vector{input};
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < input.size();) {
    const size_t end = std::min(input.find('\n', begin), input.size());
    lines.push_back(input.substr(begin, end - begin));
    begin = end + 1;
  }
  if (lines.empty()) return fail(ErrorCode::kInvalidArgument, "Standard input has no lines to embed.");
  return lines;
}

Result<std::vector<std::vector<int32_t>>> encode(const engine::Model& model, const std::vector<std::string>& texts) {
  std::vector<std::vector<int32_t>> prompts;
  for (const std::string& text : texts) {
    prompts.push_back(TRY_CTX(engine::encode_prompt(model, text, /*special=*/false), "while reading text {} of {}",
                              prompts.size() + 1, texts.size()));
  }
  return prompts;
}

/// One vector a prompt, in their order. Errors: kInternal after Ctrl-C.
Result<std::vector<std::vector<float>>> embed(engine::Engine& engine, const std::vector<std::vector<int32_t>>& prompts,
                                              const engine::EmbeddingOptions& options) {
  std::vector<std::vector<float>> out(prompts.size());
  engine::RequestId first = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const engine::RequestId id = TRY_CTX(engine.submit({.prompt = prompts[i], .embedding = options}),
                                         "while embedding text {} of {}", i + 1, prompts.size());
    if (i == 0) first = id;  // the others follow one by one
  }
  ProgressBar bar("texts");
  std::vector<engine::Event> events;
  for (size_t done = 0; done < prompts.size();) {
    events.clear();
    engine.pump(events);
    for (engine::Event& event : events) {
      if (event.kind == engine::Event::Kind::kDevice) fmt::print(stderr, "tern: {}\n", event.text);
      if (event.kind == engine::Event::Kind::kEmbedding) out[event.request - first] = std::move(event.embedding);
      if (event.kind != engine::Event::Kind::kFinished) continue;
      if (event.reason == engine::StopReason::kError) return fail(ErrorCode::kInternal, "{}", event.error);
      if (event.reason != engine::StopReason::kEnd) {
        return fail(ErrorCode::kInvalidArgument, "Text {} does not fit the KV cache; a larger --context holds more.",
                    event.request - first + 1);
      }
      bar.update(++done, prompts.size());
    }
    if (take_interrupt()) return fail(ErrorCode::kInternal, "Stopped; there are no embeddings.");
    if (done < prompts.size()) engine.wait();
  }
  return out;
}

void print(const EmbedOptions& options, const std::vector<std::vector<int32_t>>& prompts,
           const std::vector<std::vector<float>>& vectors) {
  if (!options.json) {
    for (const std::vector<float>& vector : vectors) fmt::print("{}\n", fmt::join(vector, " "));
    return;
  }
  Json counts = Json::array();
  for (const auto& prompt : prompts) counts.push_back(prompt.size());
  const Json out = {{"embeddings", vectors},
                    {"prompt_tokens", std::move(counts)},
                    {"dimensions", vectors.front().size()},
                    {"pooling", options.pooling},
                    {"normalized", !options.keep_length}};
  std::cout << out.dump() << std::endl;
}

Result<void> run(const EmbedOptions& options) {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<std::string> texts;
  if (options.tokens.empty()) {
    texts = TRY(read_texts(options));
  } else {
    prompts = {TRY(parse_tokens(options.tokens))};
  }
  const size_t n = std::max(texts.size(), prompts.size());
  const auto at_once = static_cast<uint32_t>(std::min<size_t>(n, kMostAtOnce));
  const OpenedModel opened = TRY(open_model(options.model, {.max_seqs = at_once}));
  engine::Model& model = *opened.model;
  if (!texts.empty()) {
    if (!model.tokenizer) return no_text(options.model.path, "tokenizer (--tokens takes ids)", model.text_problem);
    prompts = TRY(encode(model, texts));
  }
  catch_interrupts();
  const auto vectors =
      TRY(embed(*model.engine, prompts,
                {.pooling = options.pooling == "last" ? engine::Pooling::kLast : engine::Pooling::kMean,
                 .normalise = !options.keep_length}));
  TRY(model.files.weights.check_unchanged());
  print(options, prompts, vectors);
  return {};
}

}  // namespace

void add_embed(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<EmbedOptions>();
  CLI::App* command = app.add_subcommand("embed", "Vectors that say what texts are about");
  add_model_options(*command, options->model);
  auto* prompt = command->add_option("-p,--prompt", options->prompts, "A text; repeatable. Default: standard input")
                     ->allow_extra_args(false);
  auto* tokens = command->add_option("--tokens", options->tokens, "Token ids instead: 1,2,3 or @file");
  auto* lines = command->add_flag("--lines", options->lines, "Every line of standard input is a text");
  prompt->excludes(tokens)->excludes(lines);
  tokens->excludes(lines);
  command
      ->add_option("--pooling", options->pooling,
                   "What becomes of the hidden states of a text's tokens: mean, or last, which is the last token's")
      ->check(CLI::IsMember({"mean", "last"}))
      ->capture_default_str();
  command->add_flag("--no-normalize", options->keep_length, "Leave the vectors as long as they are, not of length 1");
  command->add_flag("--json", options->json, "Print one JSON object and nothing else on stdout");
  command->footer(
      "Examples:\n"
      "  tern embed model.gguf -p 'A cat sat on the mat.'           numbers with spaces between\n"
      "  tern embed model.gguf --lines < texts.txt > vectors.txt    a line of numbers for each line of text\n"
      "  tern embed model.gguf -p Cats -p Dogs --json | jq '.embeddings | transpose | map(.[0] * .[1]) | add'\n\n"
      "The last one prints how alike two texts are: vectors of length 1 have their cosine as product.\n"
      "A hidden state is what the model's head reads: the last layer's output after the final norm. The JSON object\n"
      "has embeddings (a list of numbers a text), prompt_tokens (one count a text), dimensions, pooling and "
      "normalized.");
  command->callback([options, &exit_code] {
    if (auto result = run(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
