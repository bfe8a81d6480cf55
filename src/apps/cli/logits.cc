// tern logits: the raw logits of every position as a NumPy file, and the comparison with the reference.

#include "engine/logits.h"

#include <algorithm>

#include "apps/cli/common.h"
#include "apps/cli/compare.h"
#include "apps/cli/npy.h"
#include "apps/cli/terminal.h"

namespace tern::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::string tokens;
  std::string out;
  bool compare = false;
  std::string ref_model;
  double tolerance = 0.05;
};

void print_difference(const ValueDifference& worst) {
  fmt::print("{} at position {}: relative error {:.3g} (largest difference {:.3g} of values up to {:.3g})\n",
             worst.value, worst.position, worst.relative, worst.largest, worst.magnitude);
}

// Names the first value beyond the tolerance. Exit code: kFailed when there is one.
Result<int> compare_with_ref(const LogitsOptions& options, ModelOptions ours, std::span<const int32_t> tokens,
                             const engine::EngineOptions& engine_options) {
  ours.expose_values = true;
  const OpenedModel opened = TRY(open_model(ours, engine_options));
  ours.device = "ref";
  if (!options.ref_model.empty()) ours.path = options.ref_model;
  const OpenedModel ref = TRY(open_model(ours, engine_options));
  const Comparison found = TRY(compare_values(*opened.model, *ref.model, tokens, ours.chunk));

  const ValueDifference& logits = found.values.back();
  fmt::print("largest difference from ref {:.3g} (position {}); the likeliest token agrees at {} of {} positions\n",
             logits.largest, logits.position, found.agreeing, found.rows);
  double before = 0;
  for (size_t i = 0; i < found.values.size(); ++i) {
    const ValueDifference& value = found.values[i];
    if (value.relative <= options.tolerance) {
      before = std::max(before, value.relative);
      continue;
    }
    fmt::print("first value beyond --tolerance {}: ", options.tolerance);
    print_difference(value);
    fmt::print("it is computed by {}; the {} values before it are within {:.3g}\n", value.step, i, before);
    return kFailed;
  }
  fmt::print("all {} values that both compute are within --tolerance {}; the farthest off is ", found.values.size(),
             options.tolerance);
  print_difference(*std::ranges::max_element(found.values, {}, &ValueDifference::relative));
  return kOk;
}

Result<int> logits(const LogitsOptions& options) {
  if (options.out.empty() && !options.compare) {
    return fail(ErrorCode::kInvalidArgument, "Where to? --out FILE.npy (or --compare-with-ref) is required.");
  }
  const auto tokens = TRY(parse_tokens(options.tokens));
  engine::EngineOptions engine_options = {.max_seqs = 1};
  engine_options.max_rows = options.model.chunk;
  ModelOptions model_options = options.model;
  if (model_options.context == 0) model_options.context = static_cast<uint32_t>(tokens.size());
  if (options.compare) return compare_with_ref(options, model_options, tokens, engine_options);
  const OpenedModel opened = TRY(open_model(model_options, engine_options));
  catch_interrupts();  // so that Ctrl-C leaves no half a file
  NpyWriter writer = TRY(NpyWriter::create(options.out, tokens.size(), opened.model->hparams.vocab));
  ProgressBar bar("logits");
  const auto take = [&](uint32_t row, std::span<const float> values) -> Result<void> {
    if (take_interrupt()) return stopped(options.out);
    bar.update(row + 1, tokens.size());
    return writer.row(values);
  };
  TRY(engine::run_logits(*opened.model, tokens, options.model.chunk, take));
  TRY(writer.finish());
  return kOk;
}

}  // namespace

void add_logits(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command = app.add_subcommand("logits", "Logits of every position, as float32 [T, vocab] in a .npy file");
  options->model.chunk = kLogitsChunk;
  add_model_options(*command, options->model);
  command->add_option("--tokens", options->tokens, "Token ids: 1,2,3 or @file")->required();
  auto* out = command->add_option("-o,--out", options->out, "The .npy file to write");
  auto* compare = command->add_flag("--compare-with-ref", options->compare,
                                    "Run ref as well; name the first node whose values differ, and by how much");
  out->excludes(compare);
  // Int8 activations leave 0.033 in the logits of the demo model (Q8_0, 6 tokens); 16 wrong weights of a row left 0.3.
  command->add_option("--tolerance", options->tolerance, "Relative error (Euclidean, of one position) that may be")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->needs(compare);
  command
      ->add_option("--ref-model", options->ref_model, "The file ref runs, if not MODEL: what a format costs, and where")
      ->needs(compare);
  command->footer(
      "Examples:\n"
      "  tern logits model.gguf --tokens 1,15043,3186 --out logits.npy    then numpy.load(\"logits.npy\")\n"
      "  tern logits model.gguf --tokens @ids.txt --compare-with-ref      is the fast backend right?");
  command->callback([options, &exit_code] {
    auto result = logits(*options);
    exit_code = result ? *result : report(result.error());
  });
}

}  // namespace tern::cli
