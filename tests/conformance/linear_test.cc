// Products with weights of every format, and the fused ops made of them.
#include <cmath>

#include "conformance/harness.h"

namespace tern::conformance {
namespace {

constexpr uint32_t kTokenCounts[] = {1, 2, 3, 5, 17, 70};

/// Bounds of [T, n] products of k terms: a sum over `lanes` partial sums, its terms rounded twice at most, has an error
/// of (k / lanes + log2 lanes + 2) ulp of sum |w||x|; a few more operations follow (bias, residual).
std::vector<double> product_bounds(const Model& model, graph::ValueId table, graph::ValueId w, uint32_t tokens,
                                   uint32_t lanes) {
  const auto weights = model.decoded(w);
  std::vector<double> bounds;
  for (const int32_t id : one_sequence(model, 0, tokens).tokens) {
    const std::vector<float> x = model.embedded(table, id);
    for (const std::vector<float>& row : weights) {
      double magnitude = 0;
      for (size_t i = 0; i < row.size(); ++i) magnitude += std::abs(double{row[i]} * x[i]);
      bounds.push_back((static_cast<double>(row.size()) / lanes + 10) * kUlp * (magnitude + 1));
    }
  }
  return bounds;
}

struct Shape {
  uint32_t rows, cols;
};

/// Awkward ones: one block, an odd number of blocks, more than one chunk of columns and not a multiple of it.
std::vector<Shape> shapes_of(const FormatInfo& format) {
  const uint32_t block = format.block > 1 ? format.block : 7;
  return {{1, block}, {3, 3 * block}, {17, block * (600 / block + 2)}, {64, 2 * block}, {35, 5 * block}};
}

TEST_P(Conformance, LinearOfEveryFormatAndShape) {
  for (const FormatInfo& format : formats::all()) {
    for (const Shape shape : shapes_of(format)) {
      SCOPED_TRACE(fmt::format("{} [{}, {}]", format.name, shape.rows, shape.cols));
      Model model;
      const graph::ValueId x = model.activations(shape.cols);
      const graph::ValueId w = model.weight(format.id, shape.rows, shape.cols);
      model.builder.output("y", model.builder.linear(x, w, "linear"));
      model.build();
      Player expected(ref(), model);
      const auto player = Player::make(GetParam(), model, fmt::format("linear {}", format.name));
      if (!player) continue;
      for (const uint32_t tokens : kTokenCounts) {
        const Step step = one_sequence(model, 0, tokens);
        expect_close(player->run(step), expected.run(step),
                     product_bounds(model, model.table, w, tokens, GetParam().lanes));
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(Conformance, LinearIsTheSameBitsWhateverTheBatchAndTheThreads) {
  for (const FormatInfo& format : formats::all()) {
    SCOPED_TRACE(format.name);
    Model model;
    const uint32_t cols = format.block > 1 ? format.block * (1300 / format.block) : 1301;
    const graph::ValueId x = model.activations(cols);
    model.builder.output("y", model.builder.linear(x, model.weight(format.id, 83, cols), "linear"));
    model.build();
    Candidate alone = GetParam();
    alone.threads = 1;
    Player one(alone, model);
    const std::vector<float> expected = run_chunked(one, model, 70, 1);
    Player player(GetParam(), model);
    for (const uint32_t chunk : {1, 2, 3, 4, 5, 7, 16, 70})
      expect_same(run_chunked(player, model, 70, chunk), expected);
    if (HasFailure()) return;
  }
}

TEST_P(Conformance, LinearWithBiasOfPieces) {
  for (const Format format : {Format::kF32, Format::kF16, Format::kQ8_0, Format::kQ4_K}) {
    Model model;
    const graph::ValueId x = model.activations(256);
    const graph::ValueId w = model.weight(format, 50, 256, 0.5f, /*pieces=*/3);
    const graph::ValueId bias = model.weight(Format::kF16, 1, 50, 1.0f);
    model.builder.output("y", model.builder.linear(x, w, "linear", bias));
    model.build();
    Player expected(ref(), model);
    Player player(GetParam(), model);
    const Step step = one_sequence(model, 0, 5);
    expect_close(player.run(step), expected.run(step), product_bounds(model, model.table, w, 5, GetParam().lanes));
  }
}

/// x W^T + x: the pass residual_norm makes a linear_add of it.
TEST_P(Conformance, LinearAdd) {
  for (const bool with_bias : {false, true}) {
    Model model;
    const graph::ValueId x = model.activations(96);
    const graph::ValueId w = model.weight(Format::kQ4_0, 96, 96);
    const graph::ValueId bias = with_bias ? model.weight(Format::kF32, 1, 96) : graph::kNone;
    const graph::ValueId y = model.builder.linear(x, w, "linear", bias);
    model.builder.output("y", model.builder.add(x, y));
    model.build();
    Player unfused(ref(), model, /*fuse=*/false);
    Player fused(ref(), model);
    Player player(GetParam(), model);
    EXPECT_TRUE(fused.uses(graph::Op::kLinearAdd));
    EXPECT_TRUE(player.uses(graph::Op::kLinearAdd));
    const std::vector<float> one_by_one = run_chunked(player, model, 17, 1);
    const Step step = one_sequence(model, 0, 17);
    const std::vector<double> bounds = product_bounds(model, model.table, w, 17, GetParam().lanes);
    expect_close(fused.run(step), unfused.run(step), bounds);
    expect_close(player.run(step), unfused.run(step), bounds);
    expect_same(player.run(step), one_by_one);
  }
}

TEST_P(Conformance, LinearGlu) {
  for (const graph::Activation activation : {graph::Activation::kSilu, graph::Activation::kGeluTanh}) {
    for (const uint32_t f : {3u, 16u, 45u}) {
      Model model;
      const graph::ValueId x = model.activations(64);
      const graph::ValueId gate = model.weight(Format::kQ8_0, f, 64, 0.2f),
                           up = model.weight(Format::kQ8_0, f, 64, 0.2f);
      const graph::ValueId g = model.builder.linear(x, gate, "gate"), u = model.builder.linear(x, up, "up");
      model.builder.output("y", model.builder.glu(g, u, activation));
      model.build();
      Player unfused(ref(), model, /*fuse=*/false);
      Player fused(ref(), model);
      Player player(GetParam(), model);
      EXPECT_TRUE(player.uses(graph::Op::kLinearGlu));
      const std::vector<float> one_by_one = run_chunked(player, model, 17, 1);
      const Step step = one_sequence(model, 0, 17);
      // Both factors are sums of 64 terms of about 0.2 and the slopes of the activations are below 1.13.
      const double bound = 4 * (64.0 / GetParam().lanes + 10) * kUlp * 64 * 0.2;
      expect_close(fused.run(step), unfused.run(step), 4 * kUlp, bound);
      expect_close(player.run(step), unfused.run(step), 4 * kUlp, bound);
      expect_same(player.run(step), one_by_one);
    }
  }
}

TEST_P(Conformance, EmbedOfEveryFormat) {
  for (const FormatInfo& format : formats::all()) {
    Model model;
    const graph::ValueId table = model.weight(format.id, Model::kVocabulary, 256, 0.5f, /*pieces=*/2);
    // fold_constants moves the factor into the embedding.
    model.builder.output("y", model.builder.scale(model.builder.embed(table), 3.25f));
    model.build();
    Player expected(ref(), model);
    Player player(GetParam(), model);
    const Step step = one_sequence(model, 0, 17);
    expect_same(player.run(step), expected.run(step));
  }
}

TEST_P(Conformance, GatherRows) {
  Model model;
  model.builder.output("y", model.builder.gather_rows(model.activations(33)));
  model.build();
  Player expected(ref(), model);
  Player player(GetParam(), model);
  Step step = one_sequence(model, 0, 17);
  for (const std::vector<uint32_t>& rows : {std::vector<uint32_t>{}, {16}, {0, 3, 4, 16}}) {
    step.rows = rows;
    expect_same(player.run(step), expected.run(step));
  }
}

}  // namespace
}  // namespace tern::conformance
