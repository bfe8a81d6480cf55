// tern logits: the raw logits of every position as a NumPy file, and the comparison with the reference.

#include "engine/logits.h"

#include <cmath>
#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/npy.h"
#include "apps/cli/terminal.h"

namespace tern::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::string tokens;
  std::string out;
  bool compare = false;
};

// Runs the same tokens on ref and reports the largest difference of each kind a person would ask for.
Result<void> compare_with_ref(const LogitsOptions& options, engine::Model& model, std::span<const int32_t> tokens,
                              const engine::EngineOptions& engine_options) {
  ModelOptions ref_options = options.model;
  ref_options.device = "ref";
  const OpenedModel ref = TRY(open_model(ref_options, engine_options));
  std::vector<float> ours;
  TRY(engine::run_logits(model, tokens, options.model.chunk, [&](uint32_t, std::span<const float> logits) {
    ours.insert(ours.end(), logits.begin(), logits.end());
  }));
  const uint32_t vocab = model.hparams.vocab;
  double largest = 0;
  uint32_t worst_row = 0, agreeing = 0;
  TRY(engine::run_logits(*ref.model, tokens, options.model.chunk, [&](uint32_t row, std::span<const float> logits) {
    const float* mine = &ours[size_t{row} * vocab];
    for (uint32_t i = 0; i < vocab; ++i) {
      const double difference = std::abs(double{logits[i]} - mine[i]);
      if (!(difference <= largest)) largest = difference, worst_row = row;
    }
    agreeing +=
        std::max_element(logits.begin(), logits.end()) - logits.begin() == std::max_element(mine, mine + vocab) - mine;
  }));
  fmt::print("largest difference from ref {:.3g} (position {}); the likeliest token agrees at {} of {} positions\n",
             largest, worst_row, agreeing, tokens.size());
  return {};
}

Result<void> logits(const LogitsOptions& options) {
  if (options.out.empty() && !options.compare) {
    return fail(ErrorCode::kInvalidArgument, "Where to? --out FILE.npy (or --compare-with-ref) is required.");
  }
  const auto tokens = TRY(parse_tokens(options.tokens));
  engine::EngineOptions engine_options = {.max_seqs = 1};
  engine_options.max_rows = options.model.chunk;
  ModelOptions model_options = options.model;
  if (model_options.context == 0) model_options.context = static_cast<uint32_t>(tokens.size());
  const OpenedModel opened = TRY(open_model(model_options, engine_options));
  if (options.compare) return compare_with_ref(options, *opened.model, tokens, engine_options);
  NpyWriter writer = TRY(NpyWriter::create(options.out, tokens.size(), opened.model->hparams.vocab));
  ProgressBar bar("logits");
  TRY(engine::run_logits(*opened.model, tokens, options.model.chunk, [&](uint32_t row, std::span<const float> values) {
    writer.row(values);
    bar.update(row + 1, tokens.size());
  }));
  return writer.finish();
}

}  // namespace

void add_logits(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command = app.add_subcommand("logits", "Logits of every position, as float32 [T, vocab] in a .npy file");
  options->model.chunk = kLogitsChunk;
  add_model_options(*command, options->model);
  command->add_option("--tokens", options->tokens, "Token ids: 1,2,3 or @file")->required();
  auto* out = command->add_option("-o,--out", options->out, "The .npy file to write");
  auto* compare = command->add_flag("--compare-with-ref", options->compare, "Run ref as well and print the difference");
  out->excludes(compare);
  command->footer(
      "Examples:\n"
      "  tern logits model.gguf --tokens 1,15043,3186 --out logits.npy    then numpy.load(\"logits.npy\")\n"
      "  tern logits model.gguf --tokens @ids.txt --compare-with-ref      is the fast backend right?");
  command->callback([options, &exit_code] {
    if (auto result = logits(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
