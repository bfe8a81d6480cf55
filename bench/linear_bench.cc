// One matrix product y = x W^T on the cpu backend, by format and by T (tokens in the step), through the Backend
// interface: whatever layout and kernel the backend chooses is what is timed. W is [32768, 2048], larger than the
// caches.
//
//   bench_kernels --benchmark_filter='q4_0/512'      TERN_ISA=avx2 TERN_THREADS=1 bench_kernels
//
// Counters: GB/s are weight bytes as the file has them, GOPS are two operations per weight and token.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <optional>

#include "backends/backend.h"
#include "formats/format.h"
#include "graph/builder.h"

namespace tern {
namespace {

constexpr uint32_t kRows = 32768, kCols = 2048, kVocab = 16, kMaxTokens = 512;

struct Product {
  std::unique_ptr<backends::Backend> backend;
  graph::Plan plan;
  backends::PlanId id;
  uint64_t bytes = 0;
};

Result<backends::Buffer> place(backends::Backend& backend, const graph::Plan& plan, uint32_t w) {
  const graph::Weight& weight = plan.weights[w];
  const uint64_t row_bytes = TRY(formats::row_bytes(weight.format, weight.cols));
  const auto buffer = TRY(backend.alloc(backend.weight_bytes(plan, w), backends::Usage::kWeight));
  constexpr uint32_t kPiece = 1024;  // rows
  std::vector<std::byte> rows(row_bytes * std::min(kPiece, weight.rows));
  for (uint32_t row = 0; row < weight.rows; row += kPiece) {
    const uint32_t n = std::min(kPiece, weight.rows - row);
    for (uint32_t i = 0; i < n; ++i) {
      formats::random_row(weight.format, row + i, 0.02f, weight.cols, rows.data() + i * row_bytes);
    }
    TRY(backend.upload_rows(plan, w, buffer, row, std::span(rows).first(n * row_bytes)));
  }
  return buffer;
}

Result<Product> make_product(Format format) {
  const char* threads = std::getenv("TERN_THREADS");
  const char* isa = std::getenv("TERN_ISA");
  Product out;
  out.backend = TRY(backends::make_backend(
      "cpu", {.threads = static_cast<uint32_t>(threads ? std::atoi(threads) : 0), .isa = isa ? isa : ""}));
  graph::Builder builder(0, 0, 0);
  const auto x = builder.embed(builder.weight("table", Format::kF32, kVocab, kCols, {{0, 0, kVocab}}));
  builder.output("y", builder.linear(x, builder.weight("w", format, kRows, kCols, {{1, 0, kRows}}), "y"));
  graph::Graph graph = TRY(builder.finish());
  out.plan = TRY(out.backend->lower(std::move(graph), {.max_tokens = kMaxTokens, .max_rows = 1, .max_seqs = 1}));
  std::vector<backends::Buffer> weights;
  for (uint32_t w = 0; w < out.plan.weights.size(); ++w) weights.push_back(TRY(place(*out.backend, out.plan, w)));
  out.id = TRY(out.backend->load(out.plan, weights, {}, {}, 0));
  out.bytes = kRows * TRY(formats::row_bytes(format, kCols));
  return out;
}

Result<void> play(Product& product, uint32_t t) {
  const std::vector<int32_t> tokens(t, 1);
  const std::vector<uint32_t> zeros(t, 0);
  std::vector<uint32_t> positions(t);
  for (uint32_t i = 0; i < t; ++i) positions[i] = i;
  const graph::StepSequence sequence{.kv_len = t, .first_page = 0};
  const auto ticket = TRY(product.backend->submit(
      product.id, {.tokens = tokens, .positions = positions, .sequences = zeros, .seqs = {&sequence, 1}}));
  product.backend->wait(ticket);
  return {};
}

void linear(benchmark::State& state, Format format) {
  static Product product;  // one at a time: they are large
  static std::optional<Format> made_for;
  if (made_for != format) {
    product = {};
    auto made = make_product(format);
    if (!made) return state.SkipWithError(made.error().to_string().c_str());
    product = *std::move(made);
    made_for = format;
  }
  const auto t = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) {
    if (const auto done = play(product, t); !done) return state.SkipWithError(done.error().to_string().c_str());
  }
  using benchmark::Counter;
  const auto steps = static_cast<double>(state.iterations());
  state.counters["GB/s"] = Counter(steps * static_cast<double>(product.bytes) * 1e-9, Counter::kIsRate);
  state.counters["GOPS"] = Counter(steps * 2e-9 * t * kRows * kCols, Counter::kIsRate);
}

const bool registered = [] {
  for (const Format format :
       {Format::kQ4_0, Format::kQ4_K, Format::kQ6_K, Format::kQ8_0, Format::kF16, Format::kBF16}) {
    auto* bench = benchmark::RegisterBenchmark(std::string(formats::info(format).name).c_str(), linear, format);
    for (const int t : {1, 4, 16, 64, 512}) bench->Arg(t);
    bench->UseRealTime()->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace tern
