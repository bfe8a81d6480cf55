#include "backends/webgpu/tuner.h"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace tern::backends::webgpu {

namespace {

constexpr uint32_t kPageTokens = 32, kPages = 8;  // of a sequence: where answers to short questions are
constexpr uint32_t kPosition = kPages * kPageTokens - 1;
constexpr int kRuns = 8;
// A GPU that idled runs at a fraction of its clock (docs/webgpu.md).
constexpr double kWarm = 0.05;
// What a variant must save to be preferred to the standard: times repeat within about a percent.
constexpr double kLeastGain = 0.03;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Larger steps are those of a prompt, of which one row of logits is wanted.
constexpr uint32_t kMostSequences = 64;
uint32_t sequences_of(uint32_t n) {
  return n <= kMostSequences ? n : 1;
}
uint32_t pages_of(uint32_t n) {
  return n <= kMostSequences ? n * kPages : div_up(n, kPageTokens);
}

graph::PlanKey key_for(uint32_t n) {
  return {.max_tokens = n,
          .max_rows = sequences_of(n),
          .max_seqs = sequences_of(n),
          .page_tokens = kPageTokens,
          .max_pages = pages_of(n)};
}

size_t most_variants(std::span<const Choice> choices) {
  size_t most = 0;
  for (const Choice& choice : choices) most = std::max(most, choice.variants.size());
  return most;
}

}  // namespace

Tuner::Tuner(Device& device, const graph::Target& target, const graph::Graph& graph, std::span<const uint32_t> weights,
             const TuneOptions& options)
    : device_(device), target_(target), graph_(graph), weights_(weights), options_(options) {}

Tuner::~Tuner() {
  if (has_times_) (void)device_.time_dispatches(false);
  for (const auto* buffers : {&keys_, &values_}) {
    for (const uint32_t buffer : *buffers) device_.free(buffer);
  }
}

/// What can be chosen for steps of n tokens, without the variants that are not to be measured.
Result<std::vector<Choice>> Tuner::choices_for(uint32_t n) const {
  std::vector<Choice> choices;
  TRY(lower(graph_, key_for(n), target_, &choices));
  std::erase_if(choices, [&](const Choice& choice) { return choice.max_tokens != n; });
  for (Choice& choice : choices) {
    const size_t all = choice.variants.size(), most = options_.most_variants == 0 ? all : options_.most_variants;
    const size_t kept = std::min(all, most);
    for (size_t i = 0; i < kept; ++i) choice.variants[i] = choice.variants[i * all / kept];
    choice.variants.resize(kept);
  }
  return choices;
}

Result<void> Tuner::make_cache(uint32_t pages) {
  const uint64_t values = uint64_t{graph_.n_kv_heads} * graph_.head_dim * kPageTokens * pages;
  const uint64_t bytes = TRY(graph::kv_bytes(graph::KvFormat::kF16, values));
  for (uint32_t layer = 0; layer < graph_.n_layers; ++layer) {
    for (auto* buffers : {&keys_, &values_}) buffers->push_back(TRY(device_.alloc(bytes)));
  }
  return {};
}

Result<Tuner::Loaded> Tuner::load(uint32_t n, const graph::Tuning& tuning) {
  graph::Target target = target_;
  target.tuning = tuning;
  Loaded loaded{.n = n};
  const graph::Plan plan = TRY(lower(graph_, key_for(n), target, &loaded.choices));
  std::erase_if(loaded.choices, [&](const Choice& choice) { return choice.max_tokens != n; });
  const uint32_t output = plan.find_output("logits");
  loaded.layout = graph::ParamsLayout::of(plan.key, output == graph::kNone ? 0 : plan.outputs[output].binding.cols);
  loaded.id = TRY(device_.load(graph::write_plan(plan), weights_, keys_, values_));
  return loaded;
}

/// A token of each of n sequences, or n of one; the logits are computed and read by nobody.
Result<uint64_t> Tuner::step(const Loaded& loaded) {
  const uint32_t n = loaded.n, n_sequences = sequences_of(n);
  const std::vector<int32_t> tokens(n, 0);
  std::vector<uint32_t> positions(n, kPosition), sequences(n, 0), rows(n_sequences, n - 1), pages(pages_of(n));
  std::vector<graph::StepSequence> seqs(n_sequences, {kPosition + 1, 0});
  std::iota(pages.begin(), pages.end(), 0);
  if (n_sequences == n) {
    std::iota(sequences.begin(), sequences.end(), 0);
    std::iota(rows.begin(), rows.end(), 0);
    for (uint32_t i = 0; i < n; ++i) seqs[i].first_page = i * kPages;
  } else {
    std::iota(positions.begin(), positions.end(), 0);
    seqs[0].kv_len = n;
  }
  const graph::StepParams params{.tokens = tokens,
                                 .positions = positions,
                                 .sequences = sequences,
                                 .seqs = seqs,
                                 .page_table = pages,
                                 .rows = rows};
  std::vector<uint32_t> block(loaded.layout.words);
  const auto words = graph::write_params(loaded.layout, params, block);
  const uint64_t ticket = TRY(device_.submit(loaded.id, graph::count(params), std::as_bytes(words), 0));
  for (auto poll = Poll::kPending; poll != Poll::kReady;) {
    device_.wait(ticket);
    poll = TRY(device_.poll(ticket, 0, {}));
    if (poll == Poll::kDeviceLost) return fail(ErrorCode::kDeviceLost, "The device was lost.");
  }
  return ticket;
}

Result<void> Tuner::warm_up(const Loaded& loaded) {
  for (const double start = seconds_now(); seconds_now() - start < kWarm;) TRY(step(loaded));
  return {};
}

/// Seconds of each choice's dispatches, the fastest of some steps; without timestamps of the whole step.
Result<std::vector<double>> Tuner::measure(const Loaded& loaded) {
  std::vector<double> least(loaded.choices.size(), 1e30);
  TRY(step(loaded));
  for (int run = 0; run < kRuns; ++run) {
    const double start = seconds_now();
    const uint64_t ticket = TRY(step(loaded));
    const double whole = seconds_now() - start;
    const std::vector<DispatchTime> times = device_.times(ticket);
    for (size_t i = 0; i < least.size(); ++i) {
      double seconds = 0;
      for (const DispatchTime& time : times) {
        const bool is_its = std::ranges::binary_search(loaded.choices[i].steps, time.step);
        if (is_its) seconds += static_cast<double>(time.end_ns - time.begin_ns) * 1e-9;
      }
      least[i] = std::min(least[i], has_times_ ? seconds : whole);
    }
  }
  return least;
}

/// The variant of that number of each of the choices at a time, the others as they are best so far.
Result<void> Tuner::try_variant(uint32_t n, size_t variant, std::span<TunedShape> shapes,
                                std::span<const Choice> choices) {
  graph::Tuning tuning;
  for (const TunedShape& shape : shapes) tuning[shape.key] = shape.best;
  for (const Choice& choice : choices) {
    if (variant < choice.variants.size()) tuning[choice.key] = choice.variants[variant];
  }
  const Loaded loaded = TRY(load(n, tuning));
  const auto seconds = measure(loaded);
  device_.unload(loaded.id);
  if (!seconds) return std::unexpected(seconds.error());
  for (const Choice& choice : choices) {
    if (variant >= choice.variants.size()) continue;
    const auto at = std::ranges::find(loaded.choices, choice.key, &Choice::key) - loaded.choices.begin();
    TunedShape& shape = *std::ranges::find(shapes, choice.key, &TunedShape::key);
    const double took = (*seconds)[static_cast<size_t>(at)];
    ++shape.variants;
    const bool is_better =
        shape.best == shape.standard ? took < shape.standard_s * (1 - kLeastGain) : took < shape.best_s;
    if (is_better) shape.best = choice.variants[variant], shape.best_s = took;
  }
  return {};
}

Result<std::vector<TunedShape>> Tuner::tune(uint32_t n, const std::function<void()>& progress) {
  const Loaded standard = TRY(load(n, {}));
  const auto measured = [&]() -> Result<std::vector<double>> {
    TRY(warm_up(standard));
    return measure(standard);
  }();
  device_.unload(standard.id);
  const std::vector<double> seconds = TRY(measured);
  std::vector<TunedShape> shapes;
  for (size_t i = 0; i < standard.choices.size(); ++i) {
    const Choice& choice = standard.choices[i];
    shapes.push_back({choice.key, choice.standard, choice.standard, seconds[i], seconds[i], 0});
  }
  // Where every dispatch has its own time, all kernels are varied at a time.
  const std::vector<Choice> choices = TRY(choices_for(n));
  const size_t together = has_times_ ? choices.size() : 1;
  for (size_t first = 0; first < choices.size(); first += together) {
    const std::span<const Choice> some = std::span(choices).subspan(first, together);
    for (size_t variant = 0; variant < most_variants(some); ++variant) {
      TRY(try_variant(n, variant, shapes, some));
      progress();
    }
  }
  return shapes;
}

Result<std::vector<TunedShape>> Tuner::run() {
  if (options_.tokens.empty()) return std::vector<TunedShape>{};
  has_times_ = device_.time_dispatches(true).has_value();
  uint64_t total = 0, done = 0;
  uint32_t pages = 0;
  for (const uint32_t n : options_.tokens) {
    const std::vector<Choice> choices = TRY(choices_for(n));
    for (const Choice& choice : choices) total += has_times_ ? 0 : choice.variants.size();
    total += has_times_ ? most_variants(choices) : 0;
    pages = std::max(pages, pages_of(n));
  }
  TRY_CTX(make_cache(pages), "while making room to tune in");
  const auto progress = [&] {
    if (options_.progress) options_.progress(++done, total);
  };
  std::vector<TunedShape> out;
  for (const uint32_t n : options_.tokens) {
    const auto shapes = TRY_CTX(tune(n, progress), "while tuning steps of {} tokens", n);
    out.insert(out.end(), shapes.begin(), shapes.end());
  }
  return out;
}

}  // namespace tern::backends::webgpu
