// GGUF files of every architecture with random weights, of shapes that fused kernels take: what golden models, whose
// shapes are as odd as can be, do not reach.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "formats/format.h"
#include "io/gguf_writer.h"

namespace tern::test {

struct RandomModel {
  std::string architecture;  // of models/, by its GGUF name; "mixtral" is a llama with experts
  Format format = Format::kQ8_0;
  std::optional<Format> v_format = {};      // as in Q4_K_M, where some v are Q6_K
  std::optional<Format> embed_format = {};  // of the embedding and the head
  uint32_t layers = 2, head_dim = 64, heads = 4, kv_heads = 2, window = 0;
  static constexpr uint32_t kVocabulary = 320, kHidden = 256, kFeedForward = 512, kExperts = 6, kUsed = 2,
                            kExpertWidth = 256;

  bool is(std::string_view name) const { return architecture == name; }
  bool has_experts() const { return is("mixtral") || is("qwen3moe"); }
  bool has_qk_norms() const { return is("qwen3") || is("qwen3moe") || is("gemma3"); }
  bool has_post_norms() const { return is("gemma2") || is("gemma3"); }
};

/// The architectures that the file of a random model may have.
inline constexpr std::string_view kRandomArchitectures[] = {"llama",  "qwen2",  "qwen3",   "gemma",
                                                            "gemma2", "gemma3", "mixtral", "qwen3moe"};

class RandomModelWriter {
 public:
  static Result<void> write(const RandomModel& model, const std::string& path) {
    RandomModelWriter self(model, TRY(io::GgufWriter::create(path)));
    TRY(self.add_metadata());
    self.list_tensors();
    for (const Tensor& t : self.tensors_) TRY(self.writer_.declare(t.name + t.suffix, t.format, t.shape));
    TRY(self.writer_.write_header());
    for (size_t i = 0; i < self.tensors_.size(); ++i) TRY(self.append(self.tensors_[i], i));
    return self.writer_.finish();
  }

 private:
  struct Tensor {
    std::string name, suffix;
    Format format;
    std::vector<uint64_t> shape;
  };
  const RandomModel& model_;
  io::GgufWriter writer_;
  std::vector<Tensor> tensors_;

  RandomModelWriter(const RandomModel& model, io::GgufWriter writer) : model_(model), writer_(std::move(writer)) {}

  Result<void> add_metadata() {
    const std::string arch = model_.is("mixtral") ? "llama" : model_.architecture;
    TRY(writer_.add("general.architecture", arch));
    const std::pair<const char*, uint32_t> numbers[] = {{"block_count", model_.layers},
                                                        {"context_length", 4096},
                                                        {"embedding_length", RandomModel::kHidden},
                                                        {"feed_forward_length", RandomModel::kFeedForward},
                                                        {"attention.head_count", model_.heads},
                                                        {"attention.head_count_kv", model_.kv_heads},
                                                        {"attention.key_length", model_.head_dim},
                                                        {"attention.value_length", model_.head_dim}};
    for (const auto& [key, value] : numbers) TRY(writer_.add(arch + "." + key, value));
    TRY(writer_.add(arch + ".attention.layer_norm_rms_epsilon", 1e-6f));
    if (model_.window > 0) {
      TRY(writer_.add(arch + ".attention.sliding_window", model_.window));
      TRY(writer_.add(arch + ".attention.sliding_window_pattern", uint32_t{2}));  // every second layer sees everything
    }
    if (model_.has_experts()) {
      TRY(writer_.add(arch + ".expert_count", RandomModel::kExperts));
      TRY(writer_.add(arch + ".expert_used_count", RandomModel::kUsed));
      const bool is_llama = arch == "llama";  // there feed_forward_length is an expert's
      if (!is_llama) TRY(writer_.add(arch + ".expert_feed_forward_length", RandomModel::kExpertWidth));
    }
    if (model_.is("gemma2")) {
      TRY(writer_.add(arch + ".attn_logit_softcapping", 5.0f));
      TRY(writer_.add(arch + ".final_logit_softcapping", 3.0f));
    }
    return {};
  }

  void vector(const std::string& name, uint64_t n, const char* suffix = ".weight") {
    tensors_.push_back({name, suffix, Format::kF32, {n}});
  }
  void matrix(const std::string& name, uint64_t rows, uint64_t cols, std::optional<Format> format = {}) {
    tensors_.push_back({name, ".weight", format.value_or(model_.format), {rows, cols}});
  }
  void experts(const std::string& name, uint64_t rows, uint64_t cols) {
    tensors_.push_back({name, ".weight", model_.format, {RandomModel::kExperts, rows, cols}});
  }
  void list_tensors() {
    const uint64_t d = RandomModel::kHidden, dim = model_.head_dim;
    matrix("token_embd", RandomModel::kVocabulary, d, model_.embed_format);
    vector("output_norm", d);
    if (!model_.architecture.starts_with("gemma")) matrix("output", RandomModel::kVocabulary, d, model_.embed_format);
    for (uint32_t layer = 0; layer < model_.layers; ++layer) {
      const std::string at = "blk." + std::to_string(layer) + ".";
      vector(at + "attn_norm", d);
      matrix(at + "attn_q", model_.heads * dim, d);
      matrix(at + "attn_k", model_.kv_heads * dim, d);
      matrix(at + "attn_v", model_.kv_heads * dim, d, model_.v_format);
      matrix(at + "attn_output", d, model_.heads * dim);
      if (model_.is("qwen2")) {
        vector(at + "attn_q", model_.heads * dim, ".bias");
        vector(at + "attn_k", model_.kv_heads * dim, ".bias");
        vector(at + "attn_v", model_.kv_heads * dim, ".bias");
      }
      if (model_.has_qk_norms()) {
        vector(at + "attn_q_norm", dim);
        vector(at + "attn_k_norm", dim);
      }
      if (model_.has_post_norms()) {
        vector(at + "post_attention_norm", d);
        vector(at + "post_ffw_norm", d);
      }
      vector(at + "ffn_norm", d);
      list_feed_forward(at);
    }
  }
  void list_feed_forward(const std::string& at) {
    const uint64_t d = RandomModel::kHidden;
    if (!model_.has_experts()) {
      matrix(at + "ffn_gate", RandomModel::kFeedForward, d);
      matrix(at + "ffn_up", RandomModel::kFeedForward, d);
      matrix(at + "ffn_down", d, RandomModel::kFeedForward);
      return;
    }
    const uint64_t f = model_.is("mixtral") ? RandomModel::kFeedForward : RandomModel::kExpertWidth;
    matrix(at + "ffn_gate_inp", RandomModel::kExperts, d, Format::kF32);
    experts(at + "ffn_gate_exps", f, d);
    experts(at + "ffn_up_exps", f, d);
    experts(at + "ffn_down_exps", d, f);
  }

  /// Products keep the size of what they multiply; gains are about 1, biases about 0.
  Result<void> append(const Tensor& t, size_t seed) {
    const uint64_t cols = t.shape.back();
    uint64_t rows = 1;
    for (size_t i = 0; i + 1 < t.shape.size(); ++i) rows *= t.shape[i];
    const bool is_vector = t.shape.size() == 1;
    // A router that is sure of its choice: another one is not what int8 activations are to be blamed for.
    const float gain = t.name.ends_with("ffn_gate_inp") ? 8.0f : 1.0f;
    const float stddev = is_vector ? 0.1f : gain / std::sqrt(static_cast<float>(cols));
    std::vector<std::byte> row(TRY(formats::row_bytes(t.format, cols)));
    for (uint64_t r = 0; r < rows; ++r) {
      formats::random_row(t.format, 1000 * seed + r, stddev, cols, row.data());
      if (is_vector && t.suffix == ".weight") {
        auto* const values = reinterpret_cast<float*>(row.data());
        for (uint64_t c = 0; c < cols; ++c) values[c] += 1;
      }
      TRY(writer_.append(row));
    }
    return {};
  }
};

}  // namespace tern::test
