// tern bench: prefill and decode rates, beside the limits of the machine measured in the same run.

#include <algorithm>
#include <iostream>

#include "apps/cli/common.h"
#include "apps/cli/terminal.h"
#include "backends/cpu/roofs.h"
#include "formats/random.h"

namespace tern::cli {
namespace {

struct BenchOptions {
  ModelOptions model;
  uint32_t prompt = 512;
  uint32_t generate = 64;
  std::vector<uint32_t> batches = {1};
  uint32_t depth = 0;
  uint32_t repeats = 3;
  bool json = false;
};

/// What one step moves and computes, from the plan: weights that every step reads, and those it multiplies with.
struct StepCost {
  uint64_t weight_bytes = 0;    // read by a decode step
  double operations = 0;        // per token of prefill, head excluded: 2 per weight
  double head_operations = 0;   // per wanted row
  uint64_t kv_bytes_token = 0;  // K and V of one position, all layers
};

StepCost cost_of(const graph::Plan& plan) {
  StepCost cost;
  for (const graph::PlanStep& step : plan.steps) {
    const graph::PlanPipeline& pipeline = plan.pipelines[step.pipeline];
    if (pipeline.op == graph::Op::kEmbed) continue;  // reads a row per token
    const bool is_head = plan.bindings[step.first_binding].rows.symbol == graph::Symbol::kRows;
    double share = 1;  // experts: k of E are computed for each token
    if (pipeline.op == graph::Op::kLinearExperts && pipeline.constants.size() >= 2) {
      share = static_cast<double>(pipeline.constants[1]) / pipeline.constants[0];
    }
    for (uint32_t i = 0; i < step.n_inputs; ++i) {
      const graph::PlanSlot& slot = plan.slots[plan.bindings[step.first_binding + i].slot];
      if (slot.kind != graph::SlotKind::kWeight) continue;
      const graph::Weight& weight = plan.weights[slot.index];
      const uint64_t bytes = weight.rows * formats::row_bytes(weight.format, weight.cols).value_or(0);
      cost.weight_bytes += static_cast<uint64_t>(static_cast<double>(bytes) * share);
      if (weight.rows > 1) {
        (is_head ? cost.head_operations : cost.operations) += 2.0 * weight.rows * weight.cols * share;
      }
    }
  }
  const uint64_t values = uint64_t{plan.n_kv_heads} * plan.head_dim;
  cost.kv_bytes_token = 2 * plan.n_layers * graph::kv_bytes(plan.key.kv_format, values).value_or(0);
  return cost;
}

struct Sample {
  double prefill_s = 0, decode_s = 0;
};

struct BenchResult {
  uint32_t batch = 1;
  double prefill_tok_s = 0, decode_tok_s = 0;
  double achieved_gb_s = 0, share_of_bandwidth = 0, share_of_peak = 0;
};

std::vector<int32_t> random_tokens(uint32_t n, uint32_t vocab, uint64_t seed) {
  formats::Random random(seed);
  std::vector<int32_t> tokens(n);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random.next() % vocab);
  return tokens;
}

// Submits `batch` prompts of `prompt` tokens, each to generate `generate` more; times until all have their first
// token, and from there until all have their last.
Result<Sample> run_once(engine::Model& model, uint32_t batch, uint32_t prompt, uint32_t generate, uint64_t seed) {
  const double start = seconds_now();
  for (uint32_t i = 0; i < batch; ++i) {
    engine::Request request;
    request.prompt = random_tokens(prompt, model.hparams.vocab, seed + i);
    request.sampling.temperature = 0;
    request.max_tokens = generate;
    request.ignore_eos = true;
    TRY(model.engine->submit(std::move(request)));
  }
  Sample sample;
  uint32_t finished = 0;
  uint64_t tokens = 0;
  std::vector<engine::Event> events;
  while (finished < batch) {
    events.clear();
    TRY(model.engine->pump(events));
    for (const engine::Event& event : events) {
      if (event.kind == engine::Event::Kind::kToken && ++tokens == batch) sample.prefill_s = seconds_now() - start;
      if (event.kind != engine::Event::Kind::kFinished) continue;
      if (event.reason != engine::StopReason::kLength) {
        return fail(ErrorCode::kInternal, "A sequence ended by \"{}\" before its last token. {}",
                    engine::stop_reason_name(event.reason), event.error);
      }
      ++finished;
    }
    if (finished < batch) model.engine->wait();
  }
  sample.decode_s = seconds_now() - start - sample.prefill_s;
  return sample;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Result<BenchResult> measure(engine::Model& model, const BenchOptions& options, uint32_t batch,
                            const backends::Roofs& roofs, const StepCost& cost) {
  BenchResult result;
  result.batch = batch;
  std::vector<double> prefill, decode;
  const uint32_t depth = std::max(1u, options.depth);
  for (uint32_t r = 0; r < options.repeats; ++r) {
    const uint64_t seed = 1000 * (r + 1);
    prefill.push_back(TRY(run_once(model, 1, options.prompt, 1, seed)).prefill_s);
    if (options.generate > 1) {
      decode.push_back(TRY(run_once(model, batch, depth, options.generate, seed + 500)).decode_s);
    }
  }
  result.prefill_tok_s = options.prompt / median(prefill);
  const double flops = options.prompt * cost.operations + cost.head_operations;
  result.share_of_peak = flops / median(prefill) * 1e-9 / roofs.peak_gflop_s;
  if (!decode.empty()) {
    const uint32_t steps = options.generate - 1;
    const double step_s = median(decode) / steps;
    const double mean_kv = depth + options.generate / 2.0;
    const double bytes = static_cast<double>(cost.weight_bytes) + batch * mean_kv * static_cast<double>(cost.kv_bytes_token);
    result.decode_tok_s = batch / step_s;
    result.achieved_gb_s = bytes / step_s * 1e-9;
    result.share_of_bandwidth = result.achieved_gb_s / roofs.read_gb_s;
  }
  return result;
}

void print(const std::vector<BenchResult>& results, const BenchOptions& options, const backends::Roofs& roofs,
           const engine::Model& model) {
  fmt::print("{} on {}; read bandwidth {:.1f} GB/s, f32 peak {:.0f} GFLOP/s, both measured now\n", model.files.name,
             model.backend->target().device, roofs.read_gb_s, roofs.peak_gflop_s);
  fmt::print("{:>6} {:>16} {:>9} {:>16} {:>11} {:>13}\n", "batch", fmt::format("prefill {} t/s", options.prompt),
             "of peak", fmt::format("decode {} t/s", options.generate), "GB/s", "of bandwidth");
  for (const BenchResult& r : results) {
    fmt::print("{:>6} {:>16.1f} {:>8.0f}% {:>16.1f} {:>11.1f} {:>12.0f}%\n", r.batch, r.prefill_tok_s,
               100 * r.share_of_peak, r.decode_tok_s, r.achieved_gb_s, 100 * r.share_of_bandwidth);
  }
}

Result<void> bench(BenchOptions options) {
  const uint32_t largest = *std::max_element(options.batches.begin(), options.batches.end());
  const uint32_t depth = std::max(1u, options.depth);
  if (options.model.context == 0) options.model.context = std::max(options.prompt + 1, depth + options.generate);
  engine::EngineOptions engine = {.max_seqs = largest};
  engine.kv_tokens = std::max<uint64_t>(options.prompt + 64, uint64_t{largest} * (depth + options.generate + 64));
  engine.share_prefixes = false;
  const OpenedModel opened = TRY(open_model(options.model, engine));
  engine::Model& model = *opened.model;
  const backends::Roofs roofs = backends::measure_roofs(model.backend->target().threads, options.model.isa);
  const StepCost cost = cost_of(model.engine->plan());
  std::vector<BenchResult> results;
  ProgressBar bar("measuring");
  for (const uint32_t batch : options.batches) {
    bar.update(results.size(), options.batches.size());
    results.push_back(TRY(measure(model, options, batch, roofs, cost)));
  }
  if (!options.json) {
    print(results, options, roofs, model);
    return {};
  }
  Json list = Json::array();
  for (const BenchResult& r : results) {
    list.push_back({{"batch", r.batch},
                    {"prompt", options.prompt},
                    {"generate", options.generate},
                    {"depth", options.depth},
                    {"threads", model.backend->target().threads},
                    {"device", model.backend->target().device},
                    {"prefill_tok_s", r.prefill_tok_s},
                    {"decode_tok_s", r.decode_tok_s},
                    {"achieved_gb_s", r.achieved_gb_s},
                    {"roof_gb_s", roofs.read_gb_s},
                    {"roof_gflop_s", roofs.peak_gflop_s},
                    {"share_of_bandwidth", r.share_of_bandwidth},
                    {"share_of_peak", r.share_of_peak},
                    {"load_s", opened.load_s},
                    {"peak_rss_bytes", peak_rss_bytes()}});
  }
  std::cout << list.dump() << std::endl;
  return {};
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Tokens per second, beside the machine's bandwidth and arithmetic");
  add_model_options(*command, options->model);
  command->add_option("-p,--prompt", options->prompt, "Prompt tokens of the prefill measurement")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("-n,--generate", options->generate, "Tokens each sequence generates; 1: no decode measurement")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("-b,--batch", options->batches, "Sequences decoded together: 1,4,8,16")
      ->delimiter(',')
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--depth", options->depth, "Tokens in each sequence's context before decoding")
      ->capture_default_str();
  command->add_option("-r,--repeats", options->repeats, "Runs; the median is reported")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print a list of results as JSON");
  command->callback([options, &exit_code] {
    if (auto result = bench(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
