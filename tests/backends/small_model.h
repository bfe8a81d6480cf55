// A model small enough to write down: one layer of attention between an embedding and a head.
#pragma once

#include <gtest/gtest.h>

#include "backends/backend.h"
#include "graph/builder.h"

namespace tern::backends {

struct SmallModel {
  static constexpr uint32_t kVocabulary = 11, kCols = 32, kHeads = 2, kHeadDim = 16;
  graph::PlanKey key{
      .max_tokens = 4, .max_rows = 2, .max_seqs = 3, .kv_format = graph::KvFormat::kF16, .page_tokens = 4};
  uint32_t n_pages = 5;
  std::unique_ptr<Backend> backend;
  graph::Plan plan;
  std::vector<Buffer> weights, keys, values;
  PlanId id;

  explicit SmallModel(std::string_view name, BackendOptions options = {}) {
    auto made = make_backend(name, options);
    EXPECT_TRUE(made) << made.error().to_string();
    backend = *std::move(made);
    auto lowered = backend->lower(graph(), key);
    EXPECT_TRUE(lowered) << lowered.error().to_string();
    plan = *std::move(lowered);
    for (uint32_t w = 0; w < plan.weights.size(); ++w) weights.push_back(upload(w));
    for (std::vector<Buffer>* cache : {&keys, &values}) {
      cache->push_back(*backend->alloc(n_pages * plan.page_bytes(), Usage::kKvCache));
    }
    auto loaded = load();
    EXPECT_TRUE(loaded) << loaded.error().to_string();
    id = *loaded;
  }

  Result<PlanId> load() { return backend->load(plan, weights, keys, values, n_pages); }

  static graph::Graph graph() {
    graph::Builder b(1, kHeads, kHeadDim);
    const auto weight = [&](std::string name, Format format, uint32_t rows, uint32_t cols) {
      return b.weight(name, format, rows, cols, {{0, 0, rows}});
    };
    const auto x = b.embed(weight("embed", Format::kF16, kVocabulary, kCols));
    const auto h = b.rms_norm(x, weight("norm", Format::kF32, 1, kCols), 1e-6f, "norm");
    const auto q = b.linear(h, weight("q", Format::kQ8_0, kCols, kCols), "q");
    const auto k = b.linear(h, weight("k", Format::kQ8_0, kCols, kCols), "k");
    const auto v = b.linear(h, weight("v", Format::kQ8_0, kCols, kCols), "v");
    const graph::RopeAttrs rope{kHeadDim, kHeadDim, 0, 1.0f};
    const auto freqs = b.constant("freqs", {1, 0.5f, 0.25f, 0.125f, 0.1f, 0.05f, 0.02f, 0.01f});
    const auto turned = b.rope(q, freqs, rope, "rope_q");
    b.kv_write(b.rope(k, freqs, rope, "rope_k"), v, {0, kHeads, kHeadDim});
    const auto a = b.attention(turned, {0, kHeads, kHeads, kHeadDim, 0.25f, 0, 0});
    const auto y = b.add(x, b.linear(a, weight("o", Format::kQ4_0, kCols, kCols), "o"));
    const auto g = b.linear(y, weight("gate", Format::kF16, 64, kCols), "gate");
    const auto u = b.linear(y, weight("up", Format::kF16, 64, kCols), "up");
    const auto d = b.linear(b.glu(g, u, graph::Activation::kSilu), weight("down", Format::kF16, kCols, 64), "down");
    const auto z = b.add(y, d, "add_ffn");
    const auto pooled = b.pool_norm(z, weight("pool", Format::kF32, 1, kCols), 1e-6f, "pooled");
    const auto last = b.gather_rows(z);
    b.output("logits", b.linear(last, weight("head", Format::kBF16, kVocabulary, kCols), "head"));
    b.output("pooled", pooled);
    auto graph = b.finish();
    EXPECT_TRUE(graph) << graph.error().to_string();
    return *std::move(graph);
  }

  /// A buffer of random rows; constants as they are.
  Buffer upload(uint32_t w) {
    const graph::Weight& weight = plan.weights[w];
    const Buffer buffer = *backend->alloc(backend->weight_bytes(plan, w), Usage::kWeight);
    if (weight.slices.empty()) {
      EXPECT_TRUE(backend->upload_rows(plan, w, buffer, 0, std::as_bytes(std::span(weight.constant))));
      return buffer;
    }
    std::vector<std::byte> row(*formats::row_bytes(weight.format, weight.cols));
    for (uint32_t r = 0; r < weight.rows; ++r) {
      formats::random_row(weight.format, 100 * w + r, 0.3f, weight.cols, row.data());
      EXPECT_TRUE(backend->upload_rows(plan, w, buffer, r, row));
    }
    return buffer;
  }
};

/// A step that breaks no limit of the small model: sequence 0 at positions 0, 1; sequence 1 at position 4.
struct SmallStep {
  std::vector<int32_t> tokens{0, 10, 3};
  std::vector<uint32_t> positions{0, 1, 4}, sequences{0, 0, 1};
  std::vector<graph::StepSequence> seqs{{2, 0}, {5, 1}};
  std::vector<uint32_t> page_table{4, 0, 1}, rows{1, 2};
  std::vector<graph::StepPool> pools;

  graph::StepParams params() const {
    graph::StepParams step{tokens, positions, sequences, seqs, page_table, rows};
    step.pools = pools;
    return step;
  }
};

}  // namespace tern::backends
