// Products that quantise their activations (int8, or bf16 with halves) and stream weights from panels, against sums in
// double that quantise the same activations by the definition in docs/cpu.md.
#include <algorithm>
#include <cmath>

#include "backends/cpu/kernels.h"
#include "base/half.h"
#include "conformance/harness.h"

namespace tern::conformance {
namespace {

constexpr uint32_t kTokenCounts[] = {1, 2, 3, 4, 5, 8, 13, 16, 64, 80};

bool is_half(Format format) {
  return format == Format::kF16 || format == Format::kBF16;
}

float rounded_to_bf16(float x) {
  return bf16_to_f32(f32_to_bf16(x));
}

/// Whether products with halves round their activations to bf16; else they keep f32.
bool rounds_to_bf16(const Candidate& candidate, Format format) {
  const backends::cpu::PanelKernel* kernel = (*backends::cpu::choose_kernels(candidate.isa))->panel_kernel(format);
  return kernel && kernel->type == backends::cpu::ActivationType::kBf16;
}

/// Columns that share a power of two.
uint32_t group_of(Format format) {
  return format == Format::kQ6_K || format == Format::kQ3_K ? 16 : 32;
}

/// x in place: per 256 columns a scale S = largest magnitude / 127; per group the largest e >= 0 (at most 15) with
/// largest magnitude of the group * 2^e <= that of the 256; codes round(x / S * 2^e). With `coarse` always e = 0: what
/// int8 with one scale per 256 gives.
void quantise(std::vector<float>& x, uint32_t group, bool coarse) {
  const auto largest_of = [&](size_t begin, size_t end) {
    float largest = 0;
    for (size_t i = begin; i < std::min(end, x.size()); ++i) largest = std::max(largest, std::fabs(x[i]));
    return largest;
  };
  for (size_t block = 0; block < x.size(); block += 256) {
    const float largest = largest_of(block, block + 256);
    if (largest == 0) continue;
    const float inverse = 127 / largest;
    const size_t block_end = std::min(block + 256, x.size());
    std::vector<float> out;
    for (size_t begin = block; begin < block_end; begin += group) {
      const float here = largest_of(begin, std::min<size_t>(begin + group, block_end));
      int e = 0;
      while (!coarse && e < 15 && std::ldexp(here, e + 1) <= largest) ++e;
      for (size_t i = begin; i < std::min<size_t>(begin + group, block_end); ++i) {
        out.push_back(std::ldexp(std::nearbyint(x[i] * (inverse * std::ldexp(1.0f, e))) * (largest / 127), -e));
      }
    }
    std::copy(out.begin(), out.end(), x.begin() + static_cast<long>(block));
  }
}

struct Product {
  double value = 0, magnitude = 0;
};
Product product(std::span<const float> w, std::span<const float> x) {
  Product out;
  for (size_t i = 0; i < w.size(); ++i) {
    out.value += double{w[i]} * x[i];
    out.magnitude += std::abs(double{w[i]} * x[i]);
  }
  return out;
}

struct Case {
  Format format;
  uint32_t rows, cols;
  Model model;
  graph::ValueId w;

  Case(Format f, uint32_t n, uint32_t k, uint32_t pieces = 1) : format(f), rows(n), cols(k) {
    const graph::ValueId x = model.activations(cols);
    w = model.weight(format, rows, cols, 0.5f, pieces);
    model.builder.output("y", model.builder.linear(x, w, "linear"));
    model.build();
  }
};

std::vector<Format> panel_formats() {
  return {Format::kQ4_0,   Format::kQ4_1,  Format::kQ5_0, Format::kQ5_1, Format::kQ8_0,
          Format::kQ3_K,   Format::kQ4_K,  Format::kQ5_K, Format::kQ6_K, Format::kIQ4_NL,
          Format::kIQ4_XS, Format::kMXFP4, Format::kAWQ,  Format::kF16,  Format::kBF16};
}

/// One block, an odd number of blocks, more than a K-block and not a multiple of it, and whole panels.
std::vector<std::pair<uint32_t, uint32_t>> shapes_of(Format format) {
  const uint32_t block = formats::info(format).block > 1 ? formats::info(format).block : 7;
  return {{2, block}, {3, 3 * block}, {17, block * (1300 / block + 2)}, {64, 2 * block}, {35, 5 * block}};
}

/// The error beyond that of the quantised activations is that of f32 sums of integers: some ulp of what is added up.
TEST_P(PanelConformance, ProductsAreThoseOfTheQuantisedActivations) {
  for (const Format format : panel_formats()) {
    for (const auto& [rows, cols] : shapes_of(format)) {
      SCOPED_TRACE(fmt::format("{} [{}, {}]", formats::info(format).name, rows, cols));
      Case test(format, rows, cols);
      Player player(GetParam(), test.model);
      if (player.backend().uses_file_layout(player.plan(), 1)) continue;  // no kernel for halves
      auto weights = test.model.decoded(test.w);
      for (auto& row : weights) {
        if (is_half(format)) std::ranges::transform(row, row.begin(), rounded_to_bf16);
      }
      for (const uint32_t tokens : kTokenCounts) {
        const Step step = one_sequence(test.model, 0, tokens);
        std::vector<float> want;
        std::vector<double> bounds;
        for (const int32_t id : step.tokens) {
          std::vector<float> x = test.model.embedded(test.model.table, id);
          if (rounds_to_bf16(GetParam(), format)) std::ranges::transform(x, x.begin(), rounded_to_bf16);
          if (!is_half(format)) quantise(x, group_of(format), false);
          for (const auto& row : weights) {
            const Product exact = product(row, x);
            want.push_back(static_cast<float>(exact.value));
            // Weights with a minimum cancel: scale * code and minimum are each up to four times the largest weight.
            const double terms = is_half(format) ? cols : cols / 32.0;
            bounds.push_back((terms + 12) * kUlp * (4 * exact.magnitude + 1));
          }
        }
        expect_close(player.run(step), want, bounds);
        if (HasFailure()) return;
      }
    }
  }
}

/// At most 1.5 times the error that int8 activations with a scale per 256 explain alone.
TEST_P(PanelConformance, ErrorsAreThoseOfInt8) {
  for (const Format format : panel_formats()) {
    if (is_half(format)) continue;
    SCOPED_TRACE(formats::info(format).name);
    Case test(format, 64, 1280);
    Player player(GetParam(), test.model);
    const auto weights = test.model.decoded(test.w);
    const Step step = one_sequence(test.model, 0, 64);
    const std::vector<float> got = player.run(step);
    double ours = 0, explained = 0;
    for (size_t t = 0; t < 64; ++t) {
      const std::vector<float> x = test.model.embedded(test.model.table, step.tokens[t]);
      std::vector<float> coarse = x;
      quantise(coarse, 32, true);
      for (size_t r = 0; r < 64; ++r) {
        const double exact = product(weights[r], x).value;
        ours += std::pow(got[t * 64 + r] - exact, 2);
        explained += std::pow(product(weights[r], coarse).value - exact, 2);
      }
    }
    EXPECT_LE(std::sqrt(ours), 1.5 * std::sqrt(explained));
  }
}

TEST_P(PanelConformance, TheSameBitsWhateverTheBatchAndTheThreads) {
  for (const Format format : panel_formats()) {
    SCOPED_TRACE(formats::info(format).name);
    const uint32_t block = std::max(formats::info(format).block, 1u);
    Case test(format, 83, block * (1300 / block), /*pieces=*/3);
    Candidate alone = GetParam();
    alone.threads = 1;
    Player one(alone, test.model);
    const std::vector<float> expected = run_chunked(one, test.model, 70, 1);
    Player player(GetParam(), test.model);
    for (const uint32_t chunk : {1, 2, 3, 4, 5, 7, 11, 16, 70}) {
      expect_same(run_chunked(player, test.model, 70, chunk), expected);
    }
    if (HasFailure()) return;
  }
}

/// Root mean square of the difference over that of `want`.
double relative_rms(std::span<const float> got, std::span<const float> want) {
  double error = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += std::pow(double{got[i]} - want[i], 2);
    size += std::pow(double{want[i]}, 2);
  }
  return std::sqrt(error / size);
}

/// int8 gives 0.7% of a product's size on such activations, and what follows adds none.
void expect_near_ref(const Candidate& candidate, const Model& model, uint32_t tokens, double most = 0.02) {
  Player expected(ref(), model, /*fuse=*/false);
  Player player(candidate, model);
  const Step step = one_sequence(model, 0, tokens);
  const std::vector<float> got = player.run(step);
  EXPECT_LE(relative_rms(got, expected.run(step)), most);
  for (const uint32_t chunk : {1, 5}) expect_same(run_chunked(player, model, tokens, chunk), got);
}

TEST_P(PanelConformance, BiasAndResidual) {
  for (const Format format : {Format::kQ4_0, Format::kQ8_0, Format::kQ4_K, Format::kBF16}) {
    SCOPED_TRACE(formats::info(format).name);
    Model model;
    const graph::ValueId x = model.activations(256);
    const graph::ValueId w = model.weight(format, 256, 256, 0.5f, /*pieces=*/3);
    const graph::ValueId bias = model.weight(Format::kF16, 1, 256, 1.0f);
    model.builder.output("y", model.builder.add(x, model.builder.linear(x, w, "linear", bias)));
    model.build();
    expect_near_ref(GetParam(), model, 17);
  }
}

TEST_P(PanelConformance, GluOfAnyNumberOfRows) {
  for (const graph::Activation activation : {graph::Activation::kSilu, graph::Activation::kGeluTanh}) {
    for (const uint32_t f : {3u, 16u, 45u, 160u}) {
      Model model;
      const graph::ValueId x = model.activations(96);
      const graph::ValueId gate = model.weight(Format::kQ8_0, f, 96, 0.2f),
                           up = model.weight(Format::kQ8_0, f, 96, 0.2f);
      const graph::ValueId g = model.builder.linear(x, gate, "gate"), u = model.builder.linear(x, up, "up");
      model.builder.output("y", model.builder.glu(g, u, activation));
      model.build();
      expect_near_ref(GetParam(), model, 17);
    }
  }
}

TEST_P(PanelConformance, Experts) {
  for (const Format format : {Format::kQ4_0, Format::kQ6_K}) {
    Model model;
    const graph::ValueId x = model.activations(256);
    const graph::ValueId router = model.weight(Format::kF32, 7, 256, 0.1f);
    const auto routes = model.builder.route_topk(model.builder.linear(x, router, "router"), {3, 1});
    const graph::ValueId up = model.builder.linear_experts(x, model.weight(format, 7 * 256, 256, 0.1f, /*pieces=*/3),
                                                           routes.ids, {7, 3}, "up");
    const graph::ValueId down =
        model.builder.linear_experts(up, model.weight(format, 7 * 20, 256, 0.1f), routes.ids, {7, 3}, "down");
    model.builder.output("y", model.builder.combine_experts(down, routes.weights));
    model.build();
    expect_near_ref(GetParam(), model, 70, 0.03);
  }
}

/// A tied table is embedded from its panels: the stored formats give the file's values, f16 the nearest bf16.
TEST_P(PanelConformance, EmbedsFromPanels) {
  for (const Format format : panel_formats()) {
    SCOPED_TRACE(formats::info(format).name);
    const uint32_t block = formats::info(format).block > 1 ? formats::info(format).block : 35;
    Model model;
    const graph::ValueId table = model.weight(format, Model::kVocabulary, 5 * block, 0.5f, /*pieces=*/2);
    const graph::ValueId x = model.builder.embed(table);
    model.builder.output("y", x);
    model.builder.output("logits", model.builder.linear(x, table, "head"));
    model.build();
    Player player(GetParam(), model);
    const Step step = one_sequence(model, 0, 17);
    const auto rows = model.decoded(table);
    const bool in_panels = !player.backend().uses_file_layout(player.plan(), 0);
    EXPECT_TRUE(in_panels || is_half(format));
    std::vector<float> want;
    for (const int32_t id : step.tokens) {
      for (const float v : rows[static_cast<size_t>(id)]) {
        want.push_back(in_panels && format == Format::kF16 ? rounded_to_bf16(v) : v);
      }
    }
    expect_same(player.run(step), want);
    if (HasFailure()) return;
  }
}

/// Rows of a GLU, of experts and of a tied table in three pieces, none of which ends with a panel.
Model model_of_all_products(Format format) {
  const uint32_t cols = 5 * std::max(formats::info(format).block, 64u);
  Model model;
  const graph::ValueId table = model.weight(format, Model::kVocabulary, cols, 0.5f, /*pieces=*/3);
  const graph::ValueId x = model.builder.embed(table);
  const auto weight = [&](uint32_t rows) { return model.weight(format, rows, cols, 0.1f, /*pieces=*/3); };
  const graph::ValueId gate = model.builder.linear(x, weight(cols), "gate"),
                       up = model.builder.linear(x, weight(cols), "up");
  const graph::ValueId h = model.builder.add(x, model.builder.glu(gate, up, graph::Activation::kSilu));
  const graph::ValueId router = model.weight(Format::kF32, 7, cols, 0.1f);
  const auto routes = model.builder.route_topk(model.builder.linear(h, router, "router"), {3, 1});
  const graph::ValueId e = model.builder.linear_experts(h, weight(7 * 20), routes.ids, {7, 3}, "experts");
  model.builder.output("y", model.builder.combine_experts(e, routes.weights));
  model.builder.output("logits", model.builder.linear(h, table, "head"));
  model.build();
  return model;
}

/// Panels that are made when they are first used: the first step makes them for one use, later ones in their place.
TEST_P(PanelConformance, TheSameBitsWhenRepackedLater) {
  for (const Format format : panel_formats()) {
    SCOPED_TRACE(formats::info(format).name);
    const Model model = model_of_all_products(format);
    Player at_once(GetParam(), model);
    Player later(GetParam(), model, /*fuse=*/true, /*later=*/true);
    for (const uint32_t tokens : {3, 20, 1}) {
      const Step step = one_sequence(model, 0, tokens);
      expect_same(later.run(step), at_once.run(step));
    }
    const bool in_panels = !later.backend().uses_file_layout(later.plan(), 0);
    EXPECT_EQ(later.released_rows() > 0, in_panels);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tern::conformance
