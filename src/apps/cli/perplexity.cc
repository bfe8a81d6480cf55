// tern perplexity: exp of the mean negative log probability of a text, in windows that do not overlap.

#include <cmath>
#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/terminal.h"
#include "engine/logits.h"

namespace tern::cli {
namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::string file;
  uint32_t window = 512;
  bool json = false;
};

// -log softmax(logits)[target], in double.
double negative_log_prob(std::span<const float> logits, int32_t target) {
  double largest = logits[0];
  for (const float x : logits) largest = std::max(largest, static_cast<double>(x));
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - largest);
  return largest + std::log(sum) - logits[target];
}

Result<void> perplexity(const PerplexityOptions& options) {
  engine::EngineOptions engine = {.max_seqs = 1};
  engine.max_rows = options.model.chunk;
  ModelOptions model_options = options.model;
  if (model_options.context == 0) model_options.context = options.window;
  const OpenedModel opened = TRY(open_model(model_options, engine));
  engine::Model& model = *opened.model;
  if (!model.tokenizer) return no_text(options.model.path, "tokenizer", model.text_problem);
  const std::string text = TRY(read_text(options.file));
  const std::vector<int32_t> ids = TRY(model.tokenizer->encode(text, {}));
  const int32_t bos = model.tokenizer->add_bos() ? model.tokenizer->bos() : -1;

  double sum = 0, squares = 0;
  uint64_t count = 0;
  const uint32_t body = options.window - (bos >= 0 ? 1 : 0);  // every window starts with BOS when the model wants one
  ProgressBar bar("perplexity");
  for (size_t begin = 0; begin < ids.size(); begin += body) {
    std::vector<int32_t> window;
    if (bos >= 0) window.push_back(bos);
    for (size_t i = begin; i < std::min(ids.size(), begin + body); ++i) window.push_back(ids[i]);
    if (window.size() < 2) break;
    const auto take = [&](uint32_t row, std::span<const float> logits) -> Result<void> {
      if (row + 1 >= window.size()) return {};
      const double nll = negative_log_prob(logits, window[row + 1]);
      sum += nll;
      squares += nll * nll;
      ++count;
      return {};
    };
    TRY(engine::run_logits(model, window, options.model.chunk, take));
    bar.update(begin + body, ids.size());
  }
  if (count == 0) return fail(ErrorCode::kInvalidArgument, "{} has fewer than two tokens.", options.file);
  const double n = static_cast<double>(count), mean = sum / n;
  const double ppl = std::exp(mean);
  const double error = ppl * std::sqrt(std::max(0.0, squares / n - mean * mean) / n);
  if (options.json) {
    std::cout
        << Json{{"perplexity", ppl}, {"standard_error", error}, {"tokens", count}, {"window", options.window}}.dump()
        << std::endl;
  } else {
    fmt::print("perplexity {:.4f} +- {:.4f} over {} tokens in windows of {}\n", ppl, error, count, options.window);
  }
  return {};
}

}  // namespace

void add_perplexity(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PerplexityOptions>();
  CLI::App* command = app.add_subcommand("perplexity", "How well a model predicts a text");
  options->model.chunk = kLogitsChunk;
  add_model_options(*command, options->model);
  command->add_option("FILE", options->file, "A text file; -: standard input")->required();
  command->add_option("--window", options->window, "Tokens per window, BOS included")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer(
      "Examples:\n"
      "  tern perplexity model.gguf book.txt\n"
      "  tern perplexity model.gguf --window 2048 book.txt --json\n\n"
      "exp of the mean negative log probability of each token given those before it in its window; windows do not\n"
      "overlap. Lower is better, and only models with the same tokenizer can be compared.");
  command->callback([options, &exit_code] {
    if (auto result = perplexity(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
