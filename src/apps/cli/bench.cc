// tern bench: prefill and decode rates, beside the limits of the machine measured in the same run.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <set>

#include "apps/cli/bench_ops.h"
#include "apps/cli/common.h"
#include "apps/cli/terminal.h"
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
  uint64_t weight_bytes = 0;    // read by every step
  uint64_t expert_bytes = 0;    // of all experts; a step reads those that its tokens chose
  double expert_share = 1;      // of the experts that one token chooses
  double operations = 0;        // per token of prefill, head excluded: 2 per weight
  double head_operations = 0;   // per wanted row
  uint64_t kv_bytes_token = 0;  // K and V of one position, all layers

  /// Bytes of weights that a step of `batch` tokens reads, when tokens choose experts independently.
  double weights_read(uint32_t batch) const {
    const double chosen = 1 - std::pow(1 - expert_share, batch);
    return static_cast<double>(weight_bytes) + chosen * static_cast<double>(expert_bytes);
  }
};

StepCost cost_of(const graph::Plan& plan) {
  StepCost cost;
  const graph::PlanProgram& program = plan.programs.back();  // each has every weight once
  for (const graph::PlanStep& step : std::span(plan.steps).subspan(program.first_step, program.n_steps)) {
    const graph::PlanPipeline& pipeline = plan.pipelines[step.pipeline];
    if (pipeline.op == graph::Op::kEmbed) continue;     // reads a row per token
    if (pipeline.op == graph::Op::kPoolNorm) continue;  // nobody asks for embeddings
    const bool is_head = plan.bindings[step.first_binding].rows.symbol == graph::Symbol::kRows;
    double share = 1;  // of the weights, what each token computes with
    const auto attrs = graph::attrs_from_words(pipeline.op, pipeline.constants);
    const auto* experts = attrs ? std::get_if<graph::ExpertsAttrs>(&*attrs) : nullptr;
    if (experts) cost.expert_share = share = static_cast<double>(experts->k) / experts->n_experts;
    for (uint32_t i = 0; i < step.n_inputs; ++i) {
      const graph::PlanSlot& slot = plan.slots[plan.bindings[step.first_binding + i].slot];
      if (slot.kind != graph::SlotKind::kWeight) continue;
      const graph::Weight& weight = plan.weights[slot.index];
      const uint64_t bytes = weight.rows * formats::row_bytes(weight.format, weight.cols).value_or(0);
      (experts ? cost.expert_bytes : cost.weight_bytes) += bytes;
      if (weight.rows > 1) {
        (is_head ? cost.head_operations : cost.operations) += 2.0 * weight.rows * weight.cols * share;
      }
    }
  }
  const uint64_t values = uint64_t{plan.n_kv_heads} * plan.head_dim;
  cost.kv_bytes_token = 2 * plan.n_layers * graph::kv_bytes(plan.key.kv_format, values).value_or(0);
  return cost;
}

struct Prefill {
  double tok_s = 0, gflop_s = 0;
};

struct Decode {
  uint32_t batch = 1;
  double tok_s = 0, gb_s = 0;
};

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

struct Report {
  Prefill prefill;
  std::vector<Decode> decodes;
  uint64_t peak_rss = 0;  // before the limits were measured: they take memory of their own
  backends::Roofs roofs;
  std::vector<OpTime> prefill_ops, decode_ops;  // of a GPU its kernels; the latter of the first batch

  double share_of_peak() const { return share(prefill.gflop_s, arithmetic_roof(prefill_ops, roofs) * 1e-9); }
};

std::vector<int32_t> random_tokens(uint32_t n, uint32_t vocab, uint64_t seed) {
  formats::Random random(seed);
  std::vector<int32_t> tokens(n);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random.next() % vocab);
  return tokens;
}

// Sequences that decode side by side: their requests, and what has come of them.
class Run {
 public:
  explicit Run(engine::Model& model) : model_(model) {}
  ~Run() {
    for (const engine::RequestId id : requests_) model_.engine->cancel(id);
    std::vector<engine::Event> events;
    while (model_.engine->pump(events) == engine::Engine::State::kBusy) {
      model_.engine->wait();
    }
  }

  Result<void> add(std::vector<int32_t> prompt) {
    engine::Request request;
    request.prompt = std::move(prompt);
    request.sampling.temperature = 0;
    request.ignore_eos = true;
    requests_.push_back(TRY(model_.engine->submit(std::move(request))));
    return {};
  }

  /// Until every sequence has a token.
  Result<void> prefill() {
    while (begun_.size() < requests_.size()) TRY(step());
    return {};
  }

  /// Until the sequences together have n more tokens.
  Result<void> decode(uint64_t n) {
    const uint64_t end = tokens_ + n;
    while (tokens_ < end) TRY(step());
    return {};
  }

 private:
  Result<void> step() {
    model_.engine->wait();  // first, so that the step which follows the last token asked for is not begun
    events_.clear();
    model_.engine->pump(events_);
    for (const engine::Event& event : events_) {
      if (event.kind == engine::Event::Kind::kToken) ++tokens_, begun_.insert(event.request);
      if (event.kind != engine::Event::Kind::kFinished) continue;
      return fail(ErrorCode::kInternal, "A sequence ended early, by \"{}\". {}", engine::stop_reason_name(event.reason),
                  event.error);
    }
    return {};
  }

  engine::Model& model_;
  std::vector<engine::RequestId> requests_;
  std::set<engine::RequestId> begun_;
  uint64_t tokens_ = 0;
  std::vector<engine::Event> events_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The first steps repack weights (Backend::repack_later).
Result<void> warm_up(engine::Model& model) {
  Run run(model);
  TRY(run.add(random_tokens(1, model.hparams.vocab, 1)));
  TRY(run.prefill());
  return run.decode(2);
}

Result<Prefill> measure_prefill(engine::Model& model, const BenchOptions& options, const StepCost& cost) {
  std::vector<double> seconds;
  for (uint32_t r = 0; r < options.repeats; ++r) {
    Run run(model);
    const double start = seconds_now();
    TRY(run.add(random_tokens(options.prompt, model.hparams.vocab, r + 1)));
    TRY(run.prefill());
    seconds.push_back(seconds_now() - start);
  }
  const double operations = options.prompt * cost.operations + cost.head_operations;
  return Prefill{options.prompt / median(seconds), operations / median(seconds) * 1e-9};
}

Result<Decode> measure_decode(engine::Model& model, const BenchOptions& options, uint32_t batch, const StepCost& cost) {
  const uint32_t steps = options.generate - 1;  // the first token belongs to the prefill
  if (steps == 0) return Decode{.batch = batch};
  const uint32_t depth = std::max(1u, options.depth);
  std::vector<double> seconds;
  for (uint32_t r = 0; r < options.repeats; ++r) {
    Run run(model);
    for (uint32_t i = 0; i < batch; ++i) {
      TRY(run.add(random_tokens(depth, model.hparams.vocab, 1000 * (r + 1) + i)));
    }
    TRY(run.prefill());
    const double start = seconds_now();
    TRY(run.decode(uint64_t{batch} * steps));
    seconds.push_back(seconds_now() - start);
  }
  const double step_s = median(seconds) / steps;
  const double kv_tokens = batch * (depth + options.generate / 2.0);
  const double bytes = cost.weights_read(batch) + kv_tokens * static_cast<double>(cost.kv_bytes_token);
  return Decode{batch, batch / step_s, bytes / step_s * 1e-9};
}

bool is_gpu(const engine::Model& model) {
  return model.backend->target().backend == "webgpu";
}

/// Once more with a trace, which costs a few percent, on a GPU more, where each kernel has a pass of its own: a prompt,
/// then some steps of decoding of the first batch.
Result<void> measure_ops(const OpenedModel& opened, const BenchOptions& options, Report& report) {
  Trace& trace = opened.trace->trace;
  engine::Model& model = *opened.model;
  const uint32_t batch = options.batches.front(), depth = std::max(1u, options.depth);
  {
    Run run(model);
    TRY(run.add(random_tokens(options.prompt, model.hparams.vocab, 1)));
    trace.pause(false);
    TRY(run.prefill());
    trace.pause(true);
  }
  const std::string_view lane = is_gpu(model) ? "gpu" : "ops";
  report.prefill_ops = sum_by_op(trace.spans(lane));
  if (options.generate == 1) return {};
  Run run(model);
  trace.pause(false);  // before the steps that are submitted ahead
  for (uint32_t i = 0; i < batch; ++i) TRY(run.add(random_tokens(depth, model.hparams.vocab, 1000 + i)));
  TRY(run.prefill());
  const size_t before = trace.spans(lane).size();
  TRY(run.decode(uint64_t{batch} * std::min(16u, options.generate - 1)));
  trace.pause(true);
  report.decode_ops = sum_by_op(trace.spans(lane).subspan(before));
  return {};
}

void print(const Report& report, const BenchOptions& options, const engine::Model& model) {
  const graph::Target& target = model.backend->target();
  fmt::print("{} on {}, {} thread{}\n", styled(model.files.name, Style::kBold), target.device, target.threads,
             target.threads == 1 ? "" : "s");
  fmt::print(
      "limits of the machine, measured just now: read {:.1f} GB/s, f32 {:.0f} GFLOP/s, int8 {:.0f} GOP/s{}\n\n",
      report.roofs.read_gb_s, report.roofs.peak_gflop_s, report.roofs.peak_int8_gop_s,
      report.roofs.peak_bf16_gflop_s > 0 ? fmt::format(", bf16 {:.0f} GFLOP/s", report.roofs.peak_bf16_gflop_s) : "");
  fmt::print("{:<24} {:>9.1f} tok/s {:>8.1f} GFLOP/s {:>5.1f}% of peak\n", fmt::format("prefill of {}", options.prompt),
             report.prefill.tok_s, report.prefill.gflop_s, 100 * report.share_of_peak());
  const std::string_view part = is_gpu(model) ? "kernel" : "op";
  if (!report.prefill_ops.empty()) print_ops(fmt::format("prefill, by {}", part), report.prefill_ops, report.roofs);
  if (options.generate == 1) return;
  fmt::print("\n");
  for (const Decode& decode : report.decodes) {
    fmt::print("{:<24} {:>9.1f} tok/s {:>8.1f} GB/s    {:>5.1f}% of bandwidth\n",
               fmt::format("decode of {}, batch {}", options.generate, decode.batch), decode.tok_s, decode.gb_s,
               100 * share(decode.gb_s, report.roofs.read_gb_s));
  }
  if (!report.decode_ops.empty()) print_ops(fmt::format("decode, by {}", part), report.decode_ops, report.roofs);
}

Json to_json(const Report& report, const BenchOptions& options, const OpenedModel& opened) {
  Json list = Json::array();
  for (const Decode& decode : report.decodes) {
    list.push_back({{"model", opened.model->files.name},
                    {"batch", decode.batch},
                    {"prompt", options.prompt},
                    {"generate", options.generate},
                    {"depth", options.depth},
                    {"threads", opened.model->backend->target().threads},
                    {"device", opened.model->backend->target().device},
                    {"prefill_tok_s", report.prefill.tok_s},
                    {"decode_tok_s", decode.tok_s},
                    {"achieved_gb_s", decode.gb_s},
                    {"roof_gb_s", report.roofs.read_gb_s},
                    {"roof_gflop_s", report.roofs.peak_gflop_s},
                    {"share_of_bandwidth", share(decode.gb_s, report.roofs.read_gb_s)},
                    {"roof_int8_gop_s", report.roofs.peak_int8_gop_s},
                    {"roof_bf16_gflop_s", report.roofs.peak_bf16_gflop_s},
                    {"share_of_peak", report.share_of_peak()},
                    {"prefill_ops", ops_json(report.prefill_ops, report.roofs)},
                    {"decode_ops", list.empty() ? ops_json(report.decode_ops, report.roofs) : Json::array()},
                    {"load_s", opened.load_s},
                    {"peak_rss_bytes", report.peak_rss}});
  }
  return list;
}

// Room for `batch` sequences of the wanted depth, which go on decoding until the last one's prompt is computed.
engine::EngineOptions engine_options(BenchOptions& options) {
  const uint32_t batch = std::ranges::max(options.batches), depth = std::max(1u, options.depth);
  const uint64_t waiting = uint64_t{batch} * depth / options.model.chunk + batch;
  const uint64_t length = depth + options.generate + waiting + 1;
  if (options.model.context == 0) {
    options.model.context =
        static_cast<uint32_t>(std::min<uint64_t>(UINT32_MAX, std::max<uint64_t>(options.prompt + 2, length)));
  }
  engine::EngineOptions engine = {.max_seqs = batch};
  engine.kv_tokens = std::max<uint64_t>(options.prompt + 64, batch * (length + engine.page_tokens));
  engine.share_prefixes = false;
  return engine;
}

Result<void> bench(BenchOptions options) {
  const engine::EngineOptions engine = engine_options(options);
  const OpenedModel opened = TRY(open_model(options.model, engine, /*record=*/true));
  opened.trace->trace.pause(true);
  engine::Model& model = *opened.model;
  const StepCost cost = cost_of(model.engine->plan());
  ProgressBar bar("measuring");
  const size_t parts = options.batches.size() + 1;
  Report report;
  bar.update(0, parts);
  if (options.generate > 1) TRY(warm_up(model));
  report.prefill = TRY(measure_prefill(model, options, cost));
  for (const uint32_t batch : options.batches) {
    bar.update(1 + report.decodes.size(), parts);
    report.decodes.push_back(TRY(measure_decode(model, options, batch, cost)));
  }
  report.peak_rss = peak_rss_bytes();
  report.roofs = model.backend->measure_roofs().value_or(backends::Roofs{});  // a full GPU has no room for it
  TRY(measure_ops(opened, options, report));
  bar.clear();
  if (options.json) {
    std::cout << to_json(report, options, opened).dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  } else {
    print(report, options, model);
  }
  return {};
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "Tokens per second, beside the machine's bandwidth and arithmetic");
  add_model_options(*command, options->model);
  add_trace_option(*command, options->model);
  command->add_option("-p,--prompt", options->prompt, "Prompt tokens of the prefill measurement")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("-n,--generate", options->generate, "Tokens each sequence generates; 1: no decode measurement")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("-b,--batch", options->batches, "Sequences decoded together: 1,4,8,16")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--depth", options->depth, "Tokens in each sequence's context before decoding")
      ->capture_default_str();
  command->add_option("-r,--repeats", options->repeats, "Runs; the median is reported")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print a list of results as JSON");
  command->footer(
      "Examples:\n"
      "  tern bench model.gguf                            one sequence: how fast an answer comes\n"
      "  tern bench model.gguf -b 1,4,8,16 --depth 1024   several sequences with long contexts\n\n"
      "A decode step has to read all weights and the sequences' KV cache, so read bandwidth limits it; prefill\n"
      "computes 2 operations per weight and token, so arithmetic does. Both limits are measured in the same run.");
  command->callback([options, &exit_code] {
    if (auto result = bench(*options); !result) exit_code = report(result.error());
  });
}

}  // namespace tern::cli
