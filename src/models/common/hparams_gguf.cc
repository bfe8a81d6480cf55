// The parts of GGUF metadata that are not plain fields. Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#include <cmath>

#include "io/model_files.h"
#include "models/common/hparams_sources.h"

namespace tern::models {
namespace {

using Kind = RopeScaling::Kind;

constexpr Field kTheta{"rope.freq_base", ""};
constexpr Field kLocalTheta{"rope.freq_base_swa", ""};
constexpr Field kRotDim{"rope.dimension_count", ""};
constexpr Field kScalingType{"rope.scaling.type", ""};
constexpr Field kScalingFactor{"rope.scaling.factor", ""};
constexpr Field kScalingLegacy{"rope.scale_linear", ""};
constexpr Field kOriginalContext{"rope.scaling.original_context_length", ""};
constexpr Field kBetaFast{"rope.scaling.yarn_beta_fast", ""};
constexpr Field kBetaSlow{"rope.scaling.yarn_beta_slow", ""};
constexpr Field kAttnFactor{"rope.scaling.attn_factor", ""};

// A tensor of one factor per frequency, or nothing when the file has none.
Result<std::vector<float>> read_factors(const Config& config, std::string_view tensor, uint32_t n) {
  const io::WeightIndex& weights = config.files().weights;
  const io::TensorInfo* info = weights.find(tensor);
  if (!info) return std::vector<float>{};
  if (info->shape.size() != 1 || info->shape[0] != n) {
    return fail(ErrorCode::kInvalidFile, "Tensor {} has {} values, expected one for each of {} frequencies.", tensor,
                info->rows() * info->cols(), n);
  }
  const uint32_t id = TRY(weights.id_of(tensor));
  std::vector<float> factors = TRY(weights.read_f32(id));
  for (const float factor : factors) {
    if (!(factor >= kRopeFactorRange.min && factor <= kRopeFactorRange.max)) {
      return fail(ErrorCode::kInvalidFile, "Tensor {} has a factor of {}, allowed are {} to {}.", tensor, factor,
                  kRopeFactorRange.min, kRopeFactorRange.max);
    }
  }
  return factors;
}

Result<Kind> scaling_kind(const Config& config) {
  const std::string type = TRY(config.text(kScalingType, config.has(kScalingLegacy) ? "linear" : "none"));
  if (type == "none") return Kind::kNone;
  if (type == "linear") return Kind::kLinear;
  if (type == "yarn") return Kind::kYarn;
  if (type == "longrope") return Kind::kLongRope;
  return fail(ErrorCode::kUnsupported, "{} is \"{}\", supported are none, linear, longrope and yarn.",
              config.name(kScalingType), type);
}

Result<RopeScaling> read_scaling(const Config& config, uint32_t rot_dim, uint32_t context) {
  RopeScaling s;
  s.kind = TRY(scaling_kind(config));
  s.factor = TRY(config.number(kScalingLegacy, kRopeFactorRange, 1));
  s.factor = TRY(config.number(kScalingFactor, kRopeFactorRange, s.factor));
  s.original_context = TRY(config.u32(kOriginalContext, kContextRange, context));
  s.beta_fast = TRY(config.number(kBetaFast, kRopeFactorRange, s.beta_fast));
  s.beta_slow = TRY(config.number(kBetaSlow, kRopeFactorRange, s.beta_slow));
  s.attention_factor = TRY(config.number(kAttnFactor, {1e-3, 1e3}, 0));
  s.freq_factors = TRY(read_factors(config, "rope_freqs.weight", rot_dim / 2));
  s.long_factors = TRY(read_factors(config, "rope_factors_long.weight", rot_dim / 2));
  s.short_factors = TRY(read_factors(config, "rope_factors_short.weight", rot_dim / 2));
  if (s.long_factors.empty() != s.short_factors.empty()) {
    return fail(
        ErrorCode::kInvalidFile,
        "Only one of the tensors rope_factors_long.weight and rope_factors_short.weight is there, expected both.");
  }
  // llama.cpp's writer leaves the type out for Phi-3: its factors say it.
  if (!s.long_factors.empty()) s.kind = Kind::kLongRope;
  if (s.kind == Kind::kLongRope) {
    if (s.long_factors.empty()) return fail(ErrorCode::kInvalidFile, "Tensor rope_factors_long.weight is missing.");
    s.factor = static_cast<double>(context) / s.original_context;
  } else if (s.kind == Kind::kYarn && s.attention_factor > 0) {
    s.attention_factor *= 0.1 * std::log(s.factor) + 1;  // GGUF's factor comes on top of YaRN's own
  } else if (s.kind == Kind::kNone) {
    s.factor = 1;
  }
  return s;
}

}  // namespace

Result<void> read_rope_gguf(const Config& config, Hparams& hp) {
  hp.rope.theta = TRY(config.number(kTheta, kThetaRange, 10000));
  hp.rope.rot_dim = TRY(config.u32(kRotDim, {2, hp.head_dim}, hp.head_dim));
  if (hp.rope.rot_dim % 2 != 0) {
    return fail(ErrorCode::kInvalidFile, "{} is {}, allowed are even numbers.", config.name(kRotDim), hp.rope.rot_dim);
  }
  hp.rope.scaling = TRY(read_scaling(config, hp.rope.rot_dim, hp.context));
  hp.local_rope = hp.rope;
  if (config.has(kLocalTheta)) {
    hp.local_rope.theta = TRY(config.number(kLocalTheta, kThetaRange));
    hp.local_rope.scaling = {};
  }
  return {};
}

Result<std::optional<std::vector<bool>>> windowed_layers_gguf(const Config& config, const Hparams& hp) {
  const std::string key = config.key("attention.sliding_window_pattern");
  const io::Metadata::Value* value = config.files().metadata.find(key);
  if (!value) return std::nullopt;
  std::vector<int32_t> layers;
  if (const auto* bools = std::get_if<std::vector<bool>>(value)) {
    layers.assign(bools->begin(), bools->end());
  } else if (const auto* words = std::get_if<std::vector<uint32_t>>(value)) {
    layers.assign(words->begin(), words->end());
  } else {
    return std::nullopt;  // a period: a plain field
  }
  if (layers.size() != hp.n_layers) {
    return fail(ErrorCode::kInvalidFile, "{} lists {} layers, the model has {}.", key, layers.size(), hp.n_layers);
  }
  return std::vector<bool>(layers.begin(), layers.end());
}

Result<std::vector<uint32_t>> end_tokens_gguf(const Config& config) {
  std::vector<uint32_t> ids;
  for (const std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (config.files().metadata.contains(key)) ids.push_back(TRY(config.files().metadata.get_u32(key)));
  }
  return ids;
}

}  // namespace tern::models
