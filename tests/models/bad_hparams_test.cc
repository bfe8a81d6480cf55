// Broken hyperparameters: one clear error that names the field, the value found and the values allowed.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "models/common/load.h"
#include "models/gguf_file.h"
#include "models/golden.h"

namespace tern::test {
namespace {

void expect_error(const Result<models::ModelGraph>& model, ErrorCode code, std::initializer_list<const char*> parts) {
  ASSERT_FALSE(model);
  const std::string text = model.error().to_string();
  EXPECT_EQ(model.error().code, code) << text;
  for (const char* part : parts) EXPECT_NE(text.find(part), text.npos) << "no \"" << part << "\" in: " << text;
}

void expect_bad_config(const std::string& model, const std::function<void(Json&)>& change,
                       std::initializer_list<const char*> parts, ErrorCode code = ErrorCode::kInvalidFile) {
  io::ModelFiles files = *io::open_model(golden_path(model));
  change(files.config);
  files.config = reparsed(files.config);
  expect_error(models::build_graph(files), code, parts);
}

void expect_bad_field(const std::string& field, const Json& value, std::initializer_list<const char*> parts,
                      ErrorCode code = ErrorCode::kInvalidFile) {
  expect_bad_config("llama2-mha", [&](Json& config) { config[field] = value; }, parts, code);
}

TEST(BadConfigTest, Heads) {
  expect_bad_field("num_attention_heads", 0, {"num_attention_heads is 0", "1 to"});
  expect_bad_field("num_attention_heads", -4, {"num_attention_heads", "-4"});
  expect_bad_field("num_attention_heads", "four", {"num_attention_heads", "four", "integer"});
  expect_bad_field("num_attention_heads", nullptr, {"num_attention_heads is missing"});
  expect_bad_field("num_key_value_heads", 0, {"num_key_value_heads is 0", "1 to 4"});
  expect_bad_field("num_key_value_heads", 3, {"num_key_value_heads is 3", "divisors of num_attention_heads", "4"});
  expect_bad_field("num_key_value_heads", 8, {"num_key_value_heads is 8", "1 to 4"});
  expect_bad_field("head_dim", 15, {"head_dim", "15", "even"});
  expect_bad_field("head_dim", 1u << 30, {"head_dim is 1073741824", "2 to"});
}

TEST(BadConfigTest, HeadsThatDoNotDivideTheWidth) {
  expect_bad_config("llama2-mha",
                    [](Json& config) {
                      config["head_dim"] = nullptr;
                      config["num_attention_heads"] = 5;
                      config["num_key_value_heads"] = 5;
                    },
                    {"num_attention_heads is 5", "divisors of hidden_size", "64"});
}

TEST(BadConfigTest, Sizes) {
  expect_bad_field("vocab_size", 0, {"vocab_size is 0", "1 to"});
  expect_bad_field("vocab_size", 321, {"vocab_size is 321", "model.embed_tokens.weight", "320 rows"});
  expect_bad_field("max_position_embeddings", 2147483648u, {"max_position_embeddings is 2147483648", "1 to 16777216"});
  expect_bad_field("max_position_embeddings", 0, {"max_position_embeddings is 0", "1 to 16777216"});
  expect_bad_field("hidden_size", 0, {"hidden_size is 0", "1 to"});
  expect_bad_field("hidden_size", 128, {"model.embed_tokens.weight", "[320, 64]", "[320, 128]"});
  expect_bad_field("intermediate_size", 177, {"model.layers.0.mlp.gate_proj.weight", "[176, 64]", "[177, 64]"});
  expect_bad_field("head_dim", 32, {"model.layers.0.self_attn.q_proj.weight", "[64, 64]", "[128, 64]"});
}

TEST(BadConfigTest, Layers) {
  expect_bad_field("num_hidden_layers", 0, {"num_hidden_layers is 0", "1 to"});
  expect_bad_field("num_hidden_layers", 1, {"num_hidden_layers is 1", "tensors of 2 layers"});
  expect_bad_field("num_hidden_layers", 3, {"num_hidden_layers is 3", "tensors of 2 layers"});
  expect_bad_field("num_hidden_layers", 4294967295u, {"num_hidden_layers is 4294967295", "1 to"});
}

TEST(BadConfigTest, Norms) {
  expect_bad_field("rms_norm_eps", 0, {"rms_norm_eps is 0", "1e-12 to"});
  expect_bad_field("rms_norm_eps", "x", {"rms_norm_eps", "number"});
}

TEST(BadConfigTest, Rope) {
  const auto rope = [](const char* key, const Json& value, std::initializer_list<const char*> parts,
                       ErrorCode code = ErrorCode::kInvalidFile) {
    expect_bad_config(
        "llama31-gqa-ropescale", [&](Json& config) { config["rope_parameters"][key] = value; }, parts, code);
  };
  rope("rope_theta", 0, {"rope_theta is 0", "1 to"});
  rope("rope_theta", -1, {"rope_theta is -1", "1 to"});
  rope("rope_type", "spiral", {"spiral", "llama3", "longrope", "yarn"}, ErrorCode::kUnsupported);
  rope("factor", 0, {"factor is 0", "0.001 to"});
  rope("factor", nullptr, {"factor", "missing"});
  rope("high_freq_factor", 1, {"low_freq_factor is 1", "high_freq_factor"});
  rope("original_max_position_embeddings", 0, {"original_max_position_embeddings is 0", "1 to"});
  rope("partial_rotary_factor", 0.4, {"partial_rotary_factor 0.4", "3 of 8"});
  rope("rope_type", "longrope", {"short_factor", "0 factors", "4 frequencies"});
}

TEST(BadConfigTest, LongRopeFactors) {
  for (const Json& bad : {Json(0), Json("1"), Json(1e30)}) {
    expect_bad_config("llama31-gqa-ropescale",
                      [&](Json& config) {
                        Json& rope = config["rope_parameters"];
                        rope["rope_type"] = "longrope";
                        rope["short_factor"] = Json::array({1, 1, 1, 1});
                        rope["long_factor"] = Json::array({1, 1, bad, 1});
                      },
                      {"long_factor", "0.001 to"});
  }
}

TEST(BadConfigTest, Windows) {
  expect_bad_config("gemma2", [](Json& c) { c["sliding_window"] = 1u << 25; }, {"sliding_window is 33554432", "0 to"});
  expect_bad_config("gemma2", [](Json& c) { c["layer_types"] = Json::array({"full_attention"}); },
                    {"layer_types lists 1", "num_hidden_layers is 2"});
  expect_bad_config(
      "gemma2", [](Json& c) { c["layer_types"] = Json::array({"full_attention", "linear_attention"}); },
      {"linear_attention", "sliding_attention"}, ErrorCode::kUnsupported);
}

TEST(BadConfigTest, Experts) {
  const auto experts = [](const char* key, const Json& value, std::initializer_list<const char*> parts) {
    expect_bad_config("qwen3-moe", [&](Json& config) { config[key] = value; }, parts);
  };
  experts("num_local_experts", 0, {"num_local_experts is 0", "1 to"});
  experts("num_local_experts", 9, {"model.layers.0.mlp.gate.weight", "[8, 64]", "[9, 64]"});
  experts("num_local_experts", 4000000000u, {"num_local_experts is 4000000000", "1 to 1024"});
  experts("num_experts_per_tok", 9, {"num_experts_per_tok is 9", "1 to 8"});
  experts("moe_intermediate_size", 41, {"mlp.experts.0.gate_proj.weight", "[40, 64]", "[41, 64]"});
}

TEST(BadConfigTest, EndTokens) {
  expect_bad_field("eos_token_id", 320, {"eos_token_id is 320", "below the vocabulary's 320"});
  expect_bad_field("eos_token_id", -1, {"eos_token_id is -1", "token id"});
  expect_bad_field("eos_token_id", Json::array({1, "x"}), {"eos_token_id is [1,\"x\"]", "token id"});
}

TEST(BadConfigTest, Kinds) {
  expect_bad_field("model_type", "bert", {"\"bert\"", "llama", "qwen3_moe", "gemma3_text"}, ErrorCode::kUnsupported);
  expect_bad_field("model_type", nullptr, {"model_type", "missing"});
  expect_bad_field("architectures", Json::array({"LlamaForSequenceClassification"}),
                   {"LlamaForSequenceClassification", "ForCausalLM"}, ErrorCode::kUnsupported);
  expect_bad_field("hidden_act", "relu", {"hidden_act is \"relu\"", "silu"}, ErrorCode::kUnsupported);
}

TEST(BadConfigTest, NoObject) {
  io::ModelFiles files = *io::open_model(golden_path("llama2-mha"));
  files.config = Json::array({1, 2});
  expect_error(models::build_graph(files), ErrorCode::kInvalidFile, {"model_type", "missing"});
}

TEST(BadConfigTest, MissingTensor) {
  io::ModelFiles files = *io::open_model(golden_path("qwen2-bias"));
  files.config["model_type"] = "qwen3";
  expect_error(models::build_graph(files), ErrorCode::kInvalidFile,
               {"model.layers.0.self_attn.q_norm.weight is missing", "qwen3"});
}

// A golden model as GGUF, with one key replaced (or removed: no value).
void expect_bad_key(const std::string& key, std::optional<io::Metadata::Value> value,
                    std::initializer_list<const char*> parts, ErrorCode code = ErrorCode::kInvalidFile,
                    const char* model = "llama31-gqa-ropescale") {
  const io::ModelFiles files = *io::open_model(golden_path(model));
  models::Export exported = *models::export_gguf(files);
  std::erase_if(exported.metadata, [&](const io::Metadata::Entry& entry) { return entry.key == key; });
  if (value) exported.metadata.push_back({key, *value});
  const std::string path = testing::TempDir() + "tern_bad.gguf";
  ASSERT_TRUE(write_gguf(exported, files.weights, path));
  const Result<io::ModelFiles> broken = io::open_model(path);
  ASSERT_TRUE(broken) << broken.error().to_string();
  expect_error(models::build_graph(*broken), code, parts);
}

TEST(BadGgufTest, Architecture) {
  expect_bad_key("general.architecture", std::string("rwkv"), {"\"rwkv\"", "llama", "gemma3"}, ErrorCode::kUnsupported);
  expect_bad_key("general.architecture", std::nullopt, {"general.architecture"});
}

TEST(BadGgufTest, Heads) {
  expect_bad_key("llama.attention.head_count", 0u, {"llama.attention.head_count is 0", "1 to"});
  expect_bad_key("llama.attention.head_count", 2.5f, {"llama.attention.head_count"});
  expect_bad_key("llama.attention.head_count", std::nullopt, {"llama.attention.head_count is missing"});
  expect_bad_key("llama.attention.head_count_kv", 3u, {"llama.attention.head_count_kv is 3", "divisors of", "8"});
  expect_bad_key("llama.attention.head_count_kv", std::vector<int32_t>{2, 1},
                 {"llama.attention.head_count_kv differs between layers"}, ErrorCode::kUnsupported);
  expect_bad_key("llama.attention.head_count_kv", std::vector<int32_t>{},
                 {"llama.attention.head_count_kv is an empty"});
  expect_bad_key("llama.attention.value_length", 16u, {"llama.attention.value_length is 16", "8"},
                 ErrorCode::kUnsupported);
}

TEST(BadGgufTest, Sizes) {
  expect_bad_key("llama.context_length", 2147483648u, {"llama.context_length is 2147483648", "1 to 16777216"});
  expect_bad_key("llama.context_length", uint64_t{1} << 40, {"llama.context_length"});
  expect_bad_key("llama.vocab_size", 0u, {"llama.vocab_size is 0", "1 to"});
  expect_bad_key("llama.block_count", 3u, {"llama.block_count is 3", "tensors of 2 layers"});
  expect_bad_key("llama.embedding_length", 65u, {"token_embd.weight", "[320, 64]", "[320, 65]"});
  expect_bad_key("llama.feed_forward_length", 88u, {"blk.0.ffn_gate.weight", "[176, 64]", "[88, 64]"});
}

TEST(BadGgufTest, Rope) {
  expect_bad_key("llama.rope.freq_base", 0.0f, {"llama.rope.freq_base is 0", "1 to"});
  expect_bad_key("llama.rope.freq_base", std::numeric_limits<float>::quiet_NaN(), {"llama.rope.freq_base", "nan"});
  expect_bad_key("llama.rope.freq_base", std::numeric_limits<float>::infinity(), {"llama.rope.freq_base", "inf"});
  expect_bad_key("llama.rope.dimension_count", 16u, {"llama.rope.dimension_count is 16", "2 to 8"});
  expect_bad_key("llama.rope.dimension_count", 7u, {"llama.rope.dimension_count is 7", "even"});
  expect_bad_key("llama.rope.dimension_count", 4u, {"rope_freqs.weight has 4 values", "2 frequencies"});
  expect_bad_key("llama.rope.scaling.type", std::string("spiral"), {"\"spiral\"", "yarn"}, ErrorCode::kUnsupported);
  expect_bad_key("llama.rope.scaling.type", std::string("longrope"), {"rope_factors_long.weight is missing"});
}

TEST(BadGgufTest, Tokens) {
  expect_bad_key("tokenizer.ggml.eos_token_id", 320u, {"tokenizer.ggml.eos_token_id", "320"});
  expect_bad_key("tokenizer.ggml.tokens", std::vector<std::string>(321, "x"),
                 {"tokenizer.ggml.tokens has 321 tokens", "token_embd.weight has 320 rows"});
}

TEST(BadGgufTest, WindowsOfAnotherNumberOfLayers) {
  expect_bad_key("gemma3.attention.sliding_window_pattern", std::vector<bool>{true},
                 {"gemma3.attention.sliding_window_pattern lists 1 layers", "2"}, ErrorCode::kInvalidFile, "gemma3");
}

}  // namespace
}  // namespace tern::test
