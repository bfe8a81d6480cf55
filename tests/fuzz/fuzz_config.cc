// Any text as config.json beside the weights of a tiny Llama: hyperparameters and the graph.
#include <string>

#include "io/model_files.h"
#include "models/common/load.h"

using namespace tern;

namespace {

/// Names and shapes alone: nothing here reads a weight.
io::WeightIndex tiny_llama() {
  io::WeightIndex weights;
  weights.add_source(io::memory_source("none", {}));
  const auto add = [&](const std::string& name, std::vector<uint64_t> shape) {
    io::TensorInfo tensor;
    tensor.name = name + ".weight";
    tensor.shape = std::move(shape);
    (void)weights.add_tensor(std::move(tensor));
  };
  add("model.embed_tokens", {320, 64});
  add("model.norm", {64});
  add("lm_head", {320, 64});
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm", {64});
    add(prefix + "post_attention_layernorm", {64});
    add(prefix + "self_attn.q_proj", {64, 64});
    add(prefix + "self_attn.k_proj", {32, 64});
    add(prefix + "self_attn.v_proj", {32, 64});
    add(prefix + "self_attn.o_proj", {64, 64});
    add(prefix + "mlp.gate_proj", {176, 64});
    add(prefix + "mlp.up_proj", {176, 64});
    add(prefix + "mlp.down_proj", {64, 176});
  }
  return weights;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto config = parse_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!config) return 0;
  io::ModelFiles files;
  files.kind = io::ModelFiles::Kind::kHuggingFace;
  files.name = "fuzz";
  files.weights = tiny_llama();
  files.config = *std::move(config);
  (void)models::build_graph(files);
  return 0;
}
