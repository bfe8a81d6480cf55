// Hyperparameters and the graph they ask for. The input is a GGUF, or a JSON object whose fields replace those of a
// small valid config.json; the tensors beside it are those that such a model of any architecture has. Whatever the
// fields say, build_graph() answers.
#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "models/common/load.h"

namespace {

using tern::Format;
using tern::Json;
namespace io = tern::io;

constexpr std::string_view kConfig = R"({
  "model_type": "llama", "num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2,
  "num_key_value_heads": 1, "head_dim": 4, "vocab_size": 32, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
  "num_local_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 16, "eos_token_id": 2,
  "sliding_window": 8, "query_pre_attn_scalar": 4, "attn_logit_softcapping": 50, "final_logit_softcapping": 30,
  "rope_parameters": {"rope_type": "default", "rope_theta": 10000}})";

struct Shape {
  const char* name;
  std::vector<uint64_t> shape;
};

// d_model 8, q 2 heads of 4, kv 1 head of 4, d_ff 16, 2 experts.
const Shape kModel[] = {{"embed_tokens", {32, 8}}, {"norm", {8}}};
const Shape kLayer[] = {
    {"input_layernorm", {8}},           {"post_attention_layernorm", {8}},
    {"pre_feedforward_layernorm", {8}}, {"post_feedforward_layernorm", {8}},
    {"self_attn.q_proj", {8, 8}},       {"self_attn.k_proj", {4, 8}},
    {"self_attn.v_proj", {4, 8}},       {"self_attn.o_proj", {8, 8}},
    {"self_attn.q_norm", {4}},          {"self_attn.k_norm", {4}},
    {"self_attn.qkv_proj", {16, 8}},    {"mlp.gate_proj", {16, 8}},
    {"mlp.up_proj", {16, 8}},           {"mlp.down_proj", {8, 16}},
    {"mlp.gate_up_proj", {32, 8}},      {"mlp.gate", {2, 8}},
};

void add(io::WeightIndex& weights, const std::string& name, const std::vector<uint64_t>& shape) {
  uint64_t bytes = sizeof(float);
  for (const uint64_t n : shape) bytes *= n;
  if (!weights.add_tensor({name, Format::kF32, shape, 0, 0, bytes})) std::abort();
}

io::ModelFiles tiny_model() {
  io::ModelFiles files;
  files.kind = io::ModelFiles::Kind::kHuggingFace;
  files.weights.add_source(io::memory_source("model.safetensors", std::vector<std::byte>(4096)));
  for (const Shape& s : kModel) add(files.weights, std::string("model.") + s.name + ".weight", s.shape);
  for (const Shape& s : kLayer) add(files.weights, std::string("model.layers.0.") + s.name + ".weight", s.shape);
  add(files.weights, "model.layers.0.mlp.experts.gate_up_proj", {2, 32, 8});
  add(files.weights, "model.layers.0.mlp.experts.down_proj", {2, 8, 16});
  for (const char* name : {"q", "k", "v"}) {
    add(files.weights, std::string("model.layers.0.self_attn.") + name + "_proj.bias", {name[0] == 'q' ? 8u : 4u});
  }
  files.config = *tern::parse_json(kConfig);
  return files;
}

void check(const io::ModelFiles& files) {
  const auto model = tern::models::build_graph(files);
  if (!model) return;
  const auto is_logits = [](const auto& output) { return output.name == "logits"; };
  if (std::ranges::count_if(model->graph.outputs, is_logits) != 1) std::abort();
}

void check_gguf(std::span<const std::byte> bytes) {
  std::vector<std::unique_ptr<io::ByteSource>> parts;
  parts.push_back(io::memory_source("fuzz.gguf", {bytes.begin(), bytes.end()}));
  const auto files = io::open_gguf(std::move(parts));
  if (files) check(*files);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with("GGUF")) {
    check_gguf(std::as_bytes(std::span(data, size)));
    return 0;
  }
  const auto fields = tern::parse_json(text);
  if (!fields || !fields->is_object()) return 0;
  static io::ModelFiles files = tiny_model();
  static const Json valid = files.config;
  files.config = valid;
  files.config.update(*fields);
  check(files);
  return 0;
}
