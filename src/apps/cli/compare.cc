#include "apps/cli/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <unordered_map>

namespace tern::cli {
namespace {

constexpr std::string_view kLogits = "logits";

/// "blk.3.ffn_down+ffn_residual (linear_add, layer 3)": the step that writes the first column of an output.
std::string step_of(const graph::Plan& plan, const graph::PlanBinding& output) {
  for (const graph::PlanStep& step : plan.steps) {
    for (uint32_t i = step.n_inputs; i < step.n_inputs + step.n_outputs; ++i) {
      const graph::PlanBinding& written = plan.bindings[step.first_binding + i];
      const bool covers = written.col0 <= output.col0 && output.col0 < written.col0 + written.cols;
      if (written.slot != output.slot || !covers) continue;
      const std::string& name = plan.strings[step.name];
      uint32_t layer = 0;
      const bool in_layer = std::sscanf(name.c_str(), "blk.%u.", &layer) == 1;
      return fmt::format("{} ({}{})", name, graph::op_name(plan.pipelines[step.pipeline].op),
                         in_layer ? fmt::format(", layer {}", layer) : "");
    }
  }
  return "no step";
}

double magnitude(std::span<const float> values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(double{value}));
  return largest;
}

/// One row of a value into its difference so far. A NaN differs more than anything.
void add_row(ValueDifference& out, uint32_t position, std::span<const float> ours, std::span<const float> ref) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < ref.size(); ++i) {
    const double difference = double{ours[i]} - ref[i];
    error += difference * difference;
    norm += double{ref[i]} * ref[i];
    if (!(std::abs(difference) <= out.largest)) out.largest = std::abs(difference);
  }
  double relative = error == 0 ? 0 : std::sqrt(error / norm);
  if (std::isnan(relative)) relative = std::numeric_limits<double>::infinity();
  if (relative > out.relative) out.relative = relative, out.position = position;
  out.magnitude = std::max(out.magnitude, magnitude(ref));
}

size_t likeliest(std::span<const float> logits) {
  return static_cast<size_t>(std::ranges::max_element(logits) - logits.begin());
}

/// Outputs of the two plans that have the same name.
struct Pair {
  uint32_t ours, ref;
  uint32_t cols;
  uint32_t rows_per_token;
};

Result<std::vector<Pair>> pair_outputs(const graph::Plan& ours, const graph::Plan& ref) {
  std::unordered_map<std::string_view, uint32_t> by_name;
  for (uint32_t i = 0; i < ref.outputs.size(); ++i) by_name.emplace(ref.outputs[i].name, i);
  std::vector<Pair> pairs;
  std::optional<Pair> logits;  // computed last, whatever its place among the outputs
  for (uint32_t i = 0; i < ours.outputs.size(); ++i) {
    const auto found = by_name.find(ours.outputs[i].name);
    if (found == by_name.end() || ours.outputs[i].binding.rows.symbol == graph::Symbol::kPools) continue;
    const graph::PlanBinding &mine = ours.outputs[i].binding, &theirs = ref.outputs[found->second].binding;
    if (mine.cols != theirs.cols || mine.rows != theirs.rows) {
      return fail(ErrorCode::kInvalidArgument, "{} has {} columns here and {} on ref; the models differ.",
                  ours.outputs[i].name, mine.cols, theirs.cols);
    }
    const Pair pair{i, found->second, mine.cols, static_cast<uint32_t>(mine.rows.at({.t = 1, .r = 1}))};
    if (ours.outputs[i].name == kLogits) {
      logits = pair;
    } else {
      pairs.push_back(pair);
    }
  }
  if (logits) pairs.push_back(*logits);
  return pairs;
}

}  // namespace

Result<Comparison> compare_values(engine::Model& ours, engine::Model& ref, std::span<const int32_t> tokens,
                                  uint32_t chunk) {
  const graph::Plan& plan = ours.engine->plan();
  const std::vector<Pair> pairs = TRY(pair_outputs(plan, ref.engine->plan()));
  std::vector<uint32_t> our_outputs, ref_outputs;
  Comparison out;
  for (const Pair& pair : pairs) {
    our_outputs.push_back(pair.ours);
    ref_outputs.push_back(pair.ref);
    const graph::PlanOutput& output = plan.outputs[pair.ours];
    out.values.push_back({.value = output.name, .step = step_of(plan, output.binding)});
  }

  // As the chunks came: in each, all outputs in the order of the pairs.
  std::vector<std::vector<float>> held;
  const auto hold = [&](uint32_t, uint32_t, std::span<const float> values) -> Result<void> {
    held.emplace_back(values.begin(), values.end());
    return {};
  };
  size_t at = 0;
  const auto compare = [&](uint32_t, uint32_t position, std::span<const float> values) -> Result<void> {
    const std::vector<float>& mine = held[at];
    const Pair& pair = pairs[at % pairs.size()];
    ValueDifference& difference = out.values[at % pairs.size()];
    for (uint32_t row = 0; size_t{row} * pair.cols < values.size(); ++row) {
      const auto theirs = values.subspan(size_t{row} * pair.cols, pair.cols);
      const auto ours_row = std::span(mine).subspan(size_t{row} * pair.cols, pair.cols);
      add_row(difference, position + row / pair.rows_per_token, ours_row, theirs);
      if (difference.value != kLogits) continue;
      ++out.rows;
      out.agreeing += likeliest(ours_row) == likeliest(theirs);
    }
    held[at++] = {};
    return {};
  };
  TRY(ours.engine->run_outputs(tokens, chunk, our_outputs, hold));
  TRY(ref.engine->run_outputs(tokens, chunk, ref_outputs, compare));
  return out;
}

}  // namespace tern::cli
