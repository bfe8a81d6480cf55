#include "webgpu/every_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "backends/webgpu/emitter.h"
#include "backends/webgpu/webgpu_backend.h"
#include "formats/format.h"
#include "graph/builder.h"
#include "graph/passes/passes.h"
#include "io/model_files.h"
#include "models/common/load.h"
#include "models/golden.h"

namespace tern::test {
namespace {

/// Published sizes with two layers; the first is that of the golden models themselves, where few formats fit.
struct Shape {
  const char* name;
  uint32_t width, feed_forward, heads, kv_heads, head_dim, vocabulary;
};
constexpr Shape kShapes[] = {
    {"as it is", 0, 0, 0, 0, 0, 0},
    {"256 wide, heads of 32", 256, 512, 8, 2, 32, 512},
    {"Llama 3.2 1B", 2048, 8192, 32, 8, 64, 128256},
    {"Llama 3 8B", 4096, 14336, 32, 8, 128, 128256},
    {"Phi 3 mini", 3072, 8192, 32, 32, 96, 32064},
    {"Gemma 2 2B", 2304, 9216, 8, 4, 256, 256000},
};
constexpr uint32_t kLikeLlama1b = 2, kLikeLlama8b = 3;

struct Cache {
  graph::KvFormat format;
  uint32_t page_tokens;
};
constexpr Cache kCaches[] = {{graph::KvFormat::kF16, 32},
                             {graph::KvFormat::kF16, 64},
                             {graph::KvFormat::kF32, 32},
                             {graph::KvFormat::kQ8_0, 32}};
constexpr uint32_t kSequences[] = {64, 1};

struct Device {
  std::string name;
  graph::Target target;
};

/// WebGPU's defaults, and then what devices have: subgroups of every size, packed products, larger workgroups, shader
/// f16, matrices; CPUs that play GPU.
std::vector<Device> make_devices() {
  std::vector<Device> out;
  const auto add = [&](std::string name, auto&& change) {
    graph::Target target{.backend = "webgpu", .device = name};
    change(target.gpu);
    out.push_back({std::move(name), backends::webgpu::complete(std::move(target))});
  };
  const auto packed = [](graph::GpuFacts& gpu) { gpu.packed_dot = true; };
  const auto large = [](graph::GpuFacts& gpu) {
    gpu.packed_dot = gpu.f16 = true;
    gpu.max_invocations = 1024;
    gpu.max_workgroup_bytes = 49152;
    gpu.max_binding_bytes = gpu.max_buffer_bytes = uint64_t{2} << 30;
  };
  add("WebGPU's defaults", [](graph::GpuFacts&) {});
  add("packed products", packed);
  add("matrices", [&](graph::GpuFacts& gpu) {
    large(gpu);
    gpu.subgroups = gpu.subgroup_matrix = true;
    gpu.subgroup_min = gpu.subgroup_max = 32;
  });
  const std::pair<uint32_t, uint32_t> sizes[] = {{32, 32}, {4, 4},  {8, 8},   {16, 16}, {64, 64},
                                                 {4, 32},  {8, 32}, {32, 64}, {4, 128}};
  for (const auto& [min, max] : sizes) {
    for (const bool is_large : {true, false}) {
      add(fmt::format("subgroups of {} to {}{}", min, max, is_large ? ", large workgroups" : ""),
          [&, low = min, high = max](graph::GpuFacts& gpu) {
            is_large ? large(gpu) : packed(gpu);
            gpu.subgroups = true;
            gpu.subgroup_min = low;
            gpu.subgroup_max = high;
          });
    }
  }
  add("a CPU", [&](graph::GpuFacts& gpu) {
    large(gpu);
    gpu.software = gpu.subgroups = true;
    gpu.subgroup_min = 4;
    gpu.subgroup_max = 32;
  });
  return out;
}

const std::vector<Device>& devices() {
  static const std::vector<Device> kDevices = make_devices();
  return kDevices;
}
constexpr uint32_t kMainDevices = 4;  // of every kind of kernel one

std::span<const FormatInfo> formats() {
  return formats::all();
}
uint32_t index_of(Format format) {
  return static_cast<uint32_t>(std::ranges::find(formats(), format, &FormatInfo::id) - formats().begin());
}

// As Hugging Face spells tensors; of a model with these hyperparameters.
std::vector<uint64_t> shape_of(std::string_view name, uint64_t rows, const models::Hparams& old, const Json& config) {
  const auto number = [&](const char* key) { return uint64_t{json_u32(config, key, 0).value_or(0)}; };
  const uint64_t width = number("hidden_size"), ff = number("intermediate_size"), dim = number("head_dim");
  const uint64_t q = number("num_attention_heads") * dim, kv = number("num_key_value_heads") * dim;
  const uint64_t n = old.experts.n, moe = number("moe_intermediate_size"), expert_ff = moe > 0 ? moe : ff;
  const bool is_vector = name.ends_with(".bias") || name.find("norm") != name.npos;
  const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
  if (has("embed_tokens") || has("lm_head")) return {number("vocab_size"), width};
  if (has("q_norm") || has("k_norm")) return {dim};
  if (has("qkv_proj")) return {q + 2 * kv, width};
  if (has("q_proj")) return is_vector ? std::vector{q} : std::vector{q, width};
  if (has("k_proj") || has("v_proj")) return is_vector ? std::vector{kv} : std::vector{kv, width};
  if (has("o_proj")) return {width, q};
  if (has("experts.gate_up_proj")) return {n, 2 * expert_ff, width};
  if (has("experts.down_proj")) return {n, width, expert_ff};
  const bool is_down = has("down_proj") || has("w2");
  if (has("experts.")) return is_down ? std::vector{width, expert_ff} : std::vector{expert_ff, width};
  if (has("gate_up_proj")) return {2 * ff, width};
  if (has("gate_proj") || has("up_proj")) return {ff, width};
  if (has("down_proj")) return {width, ff};
  return is_vector ? std::vector{width} : std::vector{rows, width};  // norms; the router
}

/// The model's files with other sizes: every tensor is zeros, which only vectors are read of.
Result<io::ModelFiles> resized(io::ModelFiles files, const Shape& shape) {
  const models::Hparams old = TRY(models::build_graph(files)).hparams;
  Json& config = files.config;
  config["hidden_size"] = shape.width;
  // Gate and up of one expert in Mixtral's size are more than default limits bind, and are not taken apart.
  const uint32_t expert_ff = std::min(shape.feed_forward, 1024u);
  config["intermediate_size"] = old.experts.n > 0 ? expert_ff : shape.feed_forward;
  if (config.contains("moe_intermediate_size")) config["moe_intermediate_size"] = expert_ff;
  config["num_attention_heads"] = shape.heads;
  config["num_key_value_heads"] = old.n_heads == old.n_kv_heads ? shape.heads : shape.kv_heads;
  config["head_dim"] = shape.head_dim;
  config["vocab_size"] = shape.vocabulary;
  config = reparsed(config);
  io::WeightIndex weights;
  const uint64_t bytes = uint64_t{shape.heads} * shape.head_dim * 4 + uint64_t{shape.width} * 4;
  weights.add_source(io::memory_source("zeros", std::vector<std::byte>(bytes)));
  for (const io::TensorInfo& tensor : files.weights.tensors()) {
    io::TensorInfo info{.name = tensor.name, .shape = shape_of(tensor.name, tensor.rows(), old, config)};
    info.length = info.rows() * info.cols() * 4;
    TRY(weights.add_tensor(std::move(info)));
  }
  files.weights = std::move(weights);
  return files;
}

/// What no model of ours has, but graphs may: a cache of keys that do not turn, a bias where a residual is added, a
/// factor that no other op takes in.
Result<graph::Graph> build_odd_ops() {
  constexpr uint32_t kWidth = 256, kHeads = 4, kDim = 64;
  graph::Builder b(1, kHeads, kDim);
  uint32_t tensor = 0;
  const auto weight = [&](std::string name, uint32_t rows, uint32_t cols) {
    const uint32_t id = tensor++;
    return b.weight(std::move(name), Format::kF32, rows, cols, {{id, 0, rows}});
  };
  const auto x = b.embed(weight("embed", 512, kWidth));
  const auto k = b.linear(x, weight("k", kWidth, kWidth), "k");
  b.kv_write(k, b.linear(x, weight("v", kWidth, kWidth), "v"), {0, kHeads, kDim});
  const auto a = b.attention(b.linear(x, weight("q", kWidth, kWidth), "q"), {0, kHeads, kHeads, kDim, 0.125f, 0, 0});
  const auto o = b.linear(a, weight("o", kWidth, kWidth), "o", weight("o.bias", kWidth, 1));
  const auto y = b.gather_rows(b.scale(b.add(x, o), 0.5f));
  b.output("logits", b.linear(y, weight("head", 512, kWidth), "head"));
  return b.finish();
}

constexpr uint32_t kOddOps = static_cast<uint32_t>(std::size(kGoldenModels));  // the model after the others

Result<graph::Graph> build(uint32_t model, uint32_t shape) {
  if (model == kOddOps) return build_odd_ops();
  io::ModelFiles files = TRY(io::open_model(golden_path(kGoldenModels[model])));
  if (shape != 0) files = TRY(resized(std::move(files), kShapes[shape]));
  return TRY(models::build_graph(files)).graph;
}

/// Graphs are made once, because many cases want each.
Result<graph::Graph> graph_of(const PlanCase& which) {
  static std::map<std::pair<uint32_t, uint32_t>, graph::Graph> known;
  const std::pair key(which.model, which.shape);
  if (!known.contains(key)) known.emplace(key, TRY(build(which.model, which.shape)));
  graph::Graph graph = known.at(key);
  const FormatInfo& format = formats()[which.format];
  for (graph::Weight& weight : graph.weights) {
    if (weight.rows == 1 || weight.cols == 1) continue;
    if (which.has_float_ends && (weight.name.starts_with("token_embd") || weight.name.starts_with("output."))) {
      weight.format = Format::kF16;
      continue;
    }
    // As in Q4_K_M, some matrices of a model have more bits.
    const bool is_larger = format.id == Format::kQ4_K && weight.name.find("attn_v") != std::string::npos;
    if (format.block == 0 || weight.cols % format.block == 0) weight.format = is_larger ? Format::kQ6_K : format.id;
  }
  return graph;
}

graph::PlanKey key_of(const PlanCase& which) {
  const uint32_t sequences = kSequences[which.sequences];
  return {.max_tokens = 512,
          .max_rows = sequences,
          .max_seqs = sequences,
          .kv_format = kCaches[which.cache].format,
          .page_tokens = kCaches[which.cache].page_tokens};
}

/// Variants of the kernel that has most.
uint32_t variants_of(const PlanCase& which) {
  const graph::Target& target = devices()[which.device].target;
  auto graph = graph_of(which);
  std::vector<backends::webgpu::Choice> choices;
  size_t most = 0;
  if (graph && graph::run_passes(*graph, target) && lower(*graph, key_of(which), target, &choices)) {
    for (const backends::webgpu::Choice& choice : choices) most = std::max(most, choice.variants.size());
  }
  return static_cast<uint32_t>(most);
}

}  // namespace

std::vector<PlanCase> every_case() {
  std::vector<PlanCase> out;
  const auto n_models = static_cast<uint32_t>(std::size(kGoldenModels)),
             n_shapes = static_cast<uint32_t>(std::size(kShapes));
  const auto n_formats = static_cast<uint32_t>(formats().size());
  for (uint32_t sequences = 0; sequences < std::size(kSequences); ++sequences) {  // products
    for (uint32_t shape = 0; shape < n_shapes; ++shape) {
      for (uint32_t format = 0; format < n_formats; ++format) {
        for (uint32_t device = 0; device < devices().size(); ++device)
          out.push_back({0, shape, format, 0, device, sequences});
      }
    }
  }
  for (const Format format : {Format::kQ4_0, Format::kF16}) {  // attention, and what else models have
    for (uint32_t model = 0; model < n_models; ++model) {
      for (uint32_t shape = 0; shape < n_shapes; ++shape) {
        for (uint32_t cache = 0; cache < std::size(kCaches); ++cache) {
          if (kCaches[cache].format == graph::KvFormat::kQ8_0 && (shape == 0 || kShapes[shape].head_dim % 64 != 0))
            continue;
          for (uint32_t device = 0; device < kMainDevices; ++device) {
            out.push_back({model, shape, index_of(format), cache, device, 0});
          }
        }
      }
    }
  }
  for (uint32_t model = 1; model < n_models; ++model) {  // experts, biases, norms with every format
    for (uint32_t format = 0; format < n_formats; ++format) {
      for (uint32_t device = 0; device < kMainDevices; ++device)
        out.push_back({model, kLikeLlama1b, format, 0, device, 0});
    }
  }
  for (uint32_t device = 0; device < kMainDevices; ++device) {  // float activations among int8 ones
    for (const uint32_t shape : {kLikeLlama1b, kLikeLlama8b}) {
      for (uint32_t sequences = 0; sequences < std::size(kSequences); ++sequences) {
        out.push_back({0, shape, index_of(Format::kQ4_0), 0, device, sequences, 0, true});
      }
    }
  }
  for (uint32_t device = 0; device < kMainDevices; ++device) {
    for (uint32_t format = 0; format < n_formats; ++format) out.push_back({kOddOps, 0, format, 0, device, 0});
  }
  for (uint32_t device = 0; device < kMainDevices; ++device) {  // tuned products
    const uint32_t n = variants_of({.shape = kLikeLlama8b, .format = index_of(Format::kQ4_0), .device = device});
    for (uint32_t format = 0; format < n_formats; ++format) {
      for (uint32_t variant = 1; variant < n; ++variant) {
        out.push_back({0, kLikeLlama8b, format, 0, device, 0, variant});
      }
    }
  }
  return out;
}

std::string name_of(const PlanCase& which) {
  const Cache& cache = kCaches[which.cache];
  constexpr const char* kCacheNames[] = {"f32", "f16", "q8_0"};
  return fmt::format("{}, {}, {}, {} cache in pages of {}, {} sequences, {}, variant {}{}",
                     which.model == kOddOps ? "odd ops" : kGoldenModels[which.model], kShapes[which.shape].name,
                     formats()[which.format].name, kCacheNames[static_cast<uint32_t>(cache.format)], cache.page_tokens,
                     kSequences[which.sequences], devices()[which.device].name, which.variant,
                     which.has_float_ends ? ", float embedding and head" : "");
}

Result<graph::Plan> make_plan(const PlanCase& which) {
  graph::Target target = devices()[which.device].target;
  graph::Graph graph = TRY_CTX(graph_of(which), "in {}", name_of(which));
  TRY_CTX(graph::run_passes(graph, target), "in {}", name_of(which));
  std::vector<backends::webgpu::Choice> choices;
  const graph::Plan plan =
      TRY_CTX(backends::webgpu::lower(graph, key_of(which), target, &choices), "in {}", name_of(which));
  if (which.variant == 0) return plan;
  for (const backends::webgpu::Choice& choice : choices) {
    target.tuning[choice.key] = choice.variants[which.variant % choice.variants.size()];
  }
  return TRY_CTX(backends::webgpu::lower(graph, key_of(which), target), "in {}", name_of(which));
}

Result<std::vector<graph::PlanPipeline>> every_shader(uint32_t sample, uint32_t seed) {
  std::vector<graph::PlanPipeline> out;
  std::set<std::pair<std::string, std::vector<graph::Access>>> known;
  const std::vector<PlanCase> cases = every_case();
  for (size_t i = seed % sample; i < cases.size(); i += sample) {
    for (graph::PlanPipeline& pipeline : TRY(make_plan(cases[i])).pipelines) {
      if (known.emplace(pipeline.source, pipeline.access).second) out.push_back(std::move(pipeline));
    }
  }
  return out;
}

}  // namespace tern::test
