// Hyperparameters as the two sources and the two generations of transformers spell them.
#include "models/common/hparams.h"

#include <gtest/gtest.h>

#include "models/common/load.h"
#include "models/gguf_file.h"
#include "models/golden.h"

namespace tern::test {
namespace {

using models::Hparams;

Hparams hparams_of(const io::ModelFiles& files) {
  const auto model = models::build_graph(files);
  EXPECT_TRUE(model) << model.error().to_string();
  return model ? model->hparams : Hparams{};
}

// config.json as transformers v4 wrote it: rope_theta and rope_scaling beside the other fields, no layer_types.
Json v4_spelling(Json config) {
  Json rope = config["rope_parameters"];
  config.erase("rope_parameters");
  if (rope.contains("sliding_attention")) {  // gemma3
    config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"];
    rope = Json(rope["full_attention"]);
    config["sliding_window_pattern"] = 2;  // the golden model has windows on every other layer
  }
  config["rope_theta"] = rope["rope_theta"];
  config["rope_scaling"] = nullptr;
  if (rope["rope_type"] != "default") {
    rope.erase("rope_theta");
    config["rope_scaling"] = rope;
  }
  config.erase("layer_types");
  config.erase("_sliding_window_pattern");
  if (config["model_type"] == "qwen2") config["sliding_window"] = 32768;  // as v4 did, with use_sliding_window false
  if (config["model_type"] == "qwen3_moe") {
    config["num_experts"] = config["num_local_experts"];
    config.erase("num_local_experts");
  }
  if (config["model_type"] == "llama" && config["head_dim"] == 16) config["head_dim"] = nullptr;
  return config;
}

TEST(HparamsTest, SpellingsOfTransformers4And5AreTheSame) {
  for (const char* name : kGoldenModels) {
    io::ModelFiles files = *io::open_model(golden_path(name));
    const Hparams v5 = hparams_of(files);
    files.config = reparsed(v4_spelling(files.config));
    EXPECT_TRUE(hparams_of(files) == v5) << name;
  }
}

TEST(HparamsTest, OldKeyOfTheScalingTypeIsRead) {
  io::ModelFiles files = *io::open_model(golden_path("llama2-mha"));
  files.config.erase("rope_parameters");
  files.config["rope_scaling"] = Json{{"type", "linear"}, {"factor", 4.0}};
  const Hparams hp = hparams_of(files);
  EXPECT_EQ(hp.rope.scaling.kind, models::RopeScaling::Kind::kLinear);
  EXPECT_EQ(hp.rope.scaling.factor, 4);
}

// The facts of golden/*/config.json, read by eye.
TEST(HparamsTest, Llama31) {
  const Hparams hp = hparams_of(*io::open_model(golden_path("llama31-gqa-ropescale")));
  EXPECT_EQ(hp.n_layers, 2u);
  EXPECT_EQ(hp.d_model, 64u);
  EXPECT_EQ(hp.d_ff, 176u);
  EXPECT_EQ(hp.n_heads, 8u);
  EXPECT_EQ(hp.n_kv_heads, 2u);
  EXPECT_EQ(hp.head_dim, 8u);
  EXPECT_EQ(hp.vocab, 320u);
  EXPECT_EQ(hp.context, 131072u);
  EXPECT_EQ(hp.rope.theta, 500000);
  EXPECT_EQ(hp.rope.scaling.original_context, 8192u);
  EXPECT_FALSE(hp.tied_embeddings);
  EXPECT_EQ(hp.end_tokens, std::vector<int32_t>{2});
}

TEST(HparamsTest, WindowsOfEachLayer) {
  using Windows = std::vector<uint32_t>;
  EXPECT_EQ(hparams_of(*io::open_model(golden_path("llama2-mha"))).windows, (Windows{0, 0}));
  EXPECT_EQ(hparams_of(*io::open_model(golden_path("mistral-swa16"))).windows, (Windows{16, 16}));
  EXPECT_EQ(hparams_of(*io::open_model(golden_path("gemma2"))).windows, (Windows{16, 0}));
  EXPECT_EQ(hparams_of(*io::open_model(golden_path("gemma3"))).windows, (Windows{16, 0}));
}

TEST(HparamsTest, Gemma3TurnsItsWindowsByAnotherBase) {
  const Hparams hp = hparams_of(*io::open_model(golden_path("gemma3")));
  EXPECT_EQ(hp.rope.theta, 1000000);
  EXPECT_EQ(hp.local_rope.theta, 10000);
}

TEST(HparamsTest, EndTokensOfBothConfigsAsNumberOrList) {
  io::ModelFiles files = *io::open_model(golden_path("llama2-mha"));
  files.generation_config = reparsed(Json{{"eos_token_id", {7, 2, 9}}});
  EXPECT_EQ(hparams_of(files).end_tokens, (std::vector<int32_t>{2, 7, 9}));
  files.config["eos_token_id"] = nullptr;
  files.generation_config = Json();
  EXPECT_TRUE(hparams_of(files).end_tokens.empty());
}

TEST(HparamsTest, AModelWithoutAHeadUsesItsEmbedding) {
  io::ModelFiles files = *io::open_model(golden_path("llama32-tied"));
  files.config.erase("tie_word_embeddings");
  EXPECT_TRUE(hparams_of(files).tied_embeddings);
}

// What GGUF's keys say again after a conversion. Its frequencies carry Llama 3.1's scaling as factors.
TEST(HparamsTest, GgufSaysTheSame) {
  for (const char* name : kGoldenModels) {
    const io::ModelFiles files = *io::open_model(golden_path(name));
    const std::string path = testing::TempDir() + "tern_hparams.gguf";
    ASSERT_TRUE(write_gguf(*models::export_gguf(files), files.weights, path)) << name;
    Hparams from_gguf = hparams_of(*io::open_model(path));
    const Hparams from_hf = hparams_of(files);
    EXPECT_TRUE(from_gguf.from_gguf);
    EXPECT_FALSE(from_gguf.norm_plus_one);  // GGUF stores 1 + w
    const bool is_llama = from_gguf.arch == "llama";
    EXPECT_EQ(from_gguf.rope.interleaved, is_llama) << name;
    from_gguf.arch = from_hf.arch;
    from_gguf.from_gguf = false;
    from_gguf.norm_plus_one = from_hf.norm_plus_one;
    from_gguf.end_tokens = from_hf.end_tokens;  // the tokenizer's metadata is not the models room's
    from_gguf.rope.interleaved = from_gguf.local_rope.interleaved = false;
    from_gguf.rope.scaling = from_hf.rope.scaling;
    from_gguf.local_rope.scaling = from_hf.local_rope.scaling;
    EXPECT_TRUE(from_gguf == from_hf) << name;
  }
}

// Scalings that no golden model has: what turns the heads is the same after a conversion.
TEST(HparamsTest, GgufKeepsLongContexts) {
  const Json yarn = {
      {"rope_type", "yarn"}, {"factor", 4.0}, {"beta_fast", 16}, {"original_max_position_embeddings", 64}};
  const Json longrope = {{"rope_type", "longrope"},
                         {"short_factor", {1, 1, 1, 1, 2, 2, 2, 2}},
                         {"long_factor", {1, 2, 3, 4, 5, 6, 7, 8}},
                         {"original_max_position_embeddings", 64}};
  const Json linear = {{"rope_type", "linear"}, {"factor", 4.0}};
  for (const Json& rope : {yarn, longrope, linear}) {
    io::ModelFiles files = *io::open_model(golden_path("phi3"));  // heads of 16 columns, a context of 512
    files.config["rope_parameters"] = rope;
    files.config.erase("original_max_position_embeddings");
    files.config = reparsed(files.config);
    const Hparams from_hf = hparams_of(files);
    EXPECT_NE(from_hf.rope.scaling.kind, models::RopeScaling::Kind::kNone);
    const std::string path = testing::TempDir() + "tern_rope.gguf";
    ASSERT_TRUE(write_gguf(*models::export_gguf(files), files.weights, path));
    const Hparams from_gguf = hparams_of(*io::open_model(path));
    for (const uint32_t context : {64, 512}) {
      const auto a = models::rope_table(from_hf.rope, context), b = models::rope_table(from_gguf.rope, context);
      EXPECT_EQ(a.freqs, b.freqs) << rope.dump();
      EXPECT_FLOAT_EQ(a.magnitude, b.magnitude) << rope.dump();
    }
  }
}

TEST(HparamsTest, FusedExpertsAreTheSameRows) {
  // transformers v5 holds [experts, 2 * d_ff, d_model] and [experts, d_model, d_ff] in memory and may save them so.
  io::ModelFiles files = *io::open_model(golden_path("qwen3-moe"));
  const auto apart = models::build_graph(files);
  ASSERT_TRUE(apart) << apart.error().to_string();
  io::ModelFiles fused;
  fused.kind = io::ModelFiles::Kind::kHuggingFace;
  fused.config = files.config;
  for (const io::TensorInfo& info : files.weights.tensors()) {
    if (info.name.find(".experts.") != info.name.npos) continue;
    ASSERT_TRUE(fused.weights.add_tensor({info.name, info.format, info.shape, 0, info.offset, info.length, -1}));
  }
  fused.weights.add_source(*io::open_file(golden_path("qwen3-moe") + "/model.safetensors"));
  for (const char* layer : {"0", "1"}) {
    const std::string prefix = std::string("model.layers.") + layer + ".mlp.experts.";
    ASSERT_TRUE(fused.weights.add_tensor({prefix + "gate_up_proj", Format::kF32, {8, 80, 64}, 0, 0, 8 * 80 * 64 * 4}));
    ASSERT_TRUE(fused.weights.add_tensor({prefix + "down_proj", Format::kF32, {8, 64, 40}, 0, 0, 8 * 64 * 40 * 4}));
  }
  const auto together = models::build_graph(fused);
  ASSERT_TRUE(together) << together.error().to_string();
  ASSERT_EQ(together->graph.weights.size(), apart->graph.weights.size());
  for (const graph::Weight& w : together->graph.weights) {
    if (w.name != "blk.1.ffn_up_exps.weight") continue;
    const uint32_t id = *fused.weights.id_of("model.layers.1.mlp.experts.gate_up_proj");
    ASSERT_EQ(w.slices.size(), 8u);
    EXPECT_EQ(w.slices[0], (graph::WeightSlice{id, 40, 40}));  // after the 40 gate rows of the same expert
    EXPECT_EQ(w.slices[7], (graph::WeightSlice{id, 7 * 80 + 40, 40}));
  }
}

}  // namespace
}  // namespace tern::test
