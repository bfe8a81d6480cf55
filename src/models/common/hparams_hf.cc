// The parts of Hugging Face configs that are not plain fields. transformers v5 writes rope_parameters, for gemma3 one
// for each type of layer; v4 wrote rope_theta, rope_scaling, rope_local_base_freq. v4's spelling is rewritten into v5's
// first, so that one parser reads both.
#include <algorithm>

#include "io/model_files.h"
#include "models/common/hparams_sources.h"

namespace tern::models {
namespace {

using Kind = RopeScaling::Kind;

// config.json's rope in the spelling of v5: {rope_type, rope_theta, factor, ...}.
Json rope_parameters(const Json& config) {
  const Json* v5 = json_find(config, "rope_parameters");
  if (v5 && v5->is_object()) {
    const Json* full = json_find(*v5, "full_attention");
    return full ? *full : *v5;
  }
  const Json* scaling = json_find(config, "rope_scaling");
  Json merged = scaling && scaling->is_object() ? *scaling : Json::object();
  if (const Json* theta = json_find(config, "rope_theta")) merged["rope_theta"] = *theta;
  return merged;
}

// The rope of layers with a window, where it is another one.
std::optional<Json> local_rope_parameters(const Json& config) {
  if (const Json* v5 = json_find(config, "rope_parameters")) {
    const Json* local = json_find(*v5, "sliding_attention");
    return local ? std::optional(*local) : std::nullopt;
  }
  const Json* theta = json_find(config, "rope_local_base_freq");
  return theta ? std::optional(Json{{"rope_type", "default"}, {"rope_theta", *theta}}) : std::nullopt;
}

Result<Kind> scaling_kind(const Json& rope) {
  const std::string old_key = TRY(json_string(rope, "type", "default"));
  const std::string type = TRY(json_string(rope, "rope_type", old_key));
  if (type == "default") return Kind::kNone;
  if (type == "linear") return Kind::kLinear;
  if (type == "llama3") return Kind::kLlama3;
  if (type == "longrope" || type == "su") return Kind::kLongRope;
  if (type == "yarn") return Kind::kYarn;
  return fail(ErrorCode::kUnsupported, "rope_type is \"{}\", supported are default, linear, llama3, longrope and yarn.",
              type);
}

Result<std::vector<float>> read_factors(const Json& rope, std::string_view key, uint32_t n) {
  const Json* list = json_find(rope, key);
  if (!list || !list->is_array() || list->size() != n) {
    return fail(ErrorCode::kInvalidFile, "rope_scaling.{} has {} factors, expected one for each of {} frequencies.",
                key, list ? list->size() : 0, n);
  }
  std::vector<float> factors;
  for (const Json& item : *list) {
    const double factor = item.is_number() ? item.get<double>() : 0;
    if (!(factor >= kRopeFactorRange.min && factor <= kRopeFactorRange.max)) {
      return fail(ErrorCode::kInvalidFile, "rope_scaling.{} has the factor {}, allowed are {} to {}.", key, shown(item),
                  kRopeFactorRange.min, kRopeFactorRange.max);
    }
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

Result<uint32_t> original_context(const Json& config, const Json& rope, uint32_t context) {
  constexpr std::string_view kKey = "original_max_position_embeddings";
  constexpr NumberRange kRange{kContextRange.min, kContextRange.max};
  const double of_model = TRY(json_ranged(config, "", kKey, kRange, context));
  return static_cast<uint32_t>(TRY(json_ranged(rope, "rope_scaling", kKey, kRange, of_model)));
}

Result<RopeScaling> read_scaling(const Json& config, const Json& rope, uint32_t rot_dim, uint32_t context) {
  constexpr std::string_view kWhere = "rope_scaling";
  RopeScaling s;
  s.kind = TRY(scaling_kind(rope));
  s.original_context = TRY(original_context(config, rope, context));
  if (s.kind == Kind::kNone) return s;
  s.attention_factor = TRY(json_ranged(rope, kWhere, "attention_factor", {1e-3, 1e3}, 0));
  if (s.kind == Kind::kLongRope) {
    s.factor = static_cast<double>(context) / s.original_context;
    s.short_factors = TRY(read_factors(rope, "short_factor", rot_dim / 2));
    s.long_factors = TRY(read_factors(rope, "long_factor", rot_dim / 2));
    return s;
  }
  s.factor = TRY(json_ranged(rope, kWhere, "factor", kRopeFactorRange));
  if (s.kind == Kind::kLlama3) {
    s.low_freq = TRY(json_ranged(rope, kWhere, "low_freq_factor", kRopeFactorRange));
    s.high_freq = TRY(json_ranged(rope, kWhere, "high_freq_factor", kRopeFactorRange));
    if (s.low_freq >= s.high_freq) {
      return fail(ErrorCode::kInvalidFile,
                  "rope_scaling.low_freq_factor is {}, allowed is less than high_freq_factor, {}.", s.low_freq,
                  s.high_freq);
    }
  }
  if (s.kind == Kind::kYarn) {
    s.beta_fast = TRY(json_ranged(rope, kWhere, "beta_fast", kRopeFactorRange, 32));
    s.beta_slow = TRY(json_ranged(rope, kWhere, "beta_slow", kRopeFactorRange, 1));
    if (json_find(rope, "mscale") || json_find(rope, "mscale_all_dim")) {
      return fail(ErrorCode::kUnsupported, "rope_scaling.mscale is there, supported is yarn without it.");
    }
  }
  return s;
}

Result<Rope> read_rope(const Config& config, const Json& json, const Hparams& hp) {
  Rope rope;
  rope.theta = TRY(json_ranged(json, "", "rope_theta", kThetaRange, 10000));
  const double of_model = TRY(json_ranged(config.json(), "", "partial_rotary_factor", {0.01, 1}, 1));
  const double part = TRY(json_ranged(json, "rope_parameters", "partial_rotary_factor", {0.01, 1}, of_model));
  rope.rot_dim = static_cast<uint32_t>(hp.head_dim * part);
  if (rope.rot_dim < 2 || rope.rot_dim % 2 != 0) {
    return fail(ErrorCode::kInvalidFile, "partial_rotary_factor {} turns {} of {} columns, expected an even number.",
                part, rope.rot_dim, hp.head_dim);
  }
  rope.scaling = TRY(read_scaling(config.json(), json, rope.rot_dim, hp.context));
  return rope;
}

// eos_token_id is a number or a list of numbers.
Result<void> append_end_tokens(const Json& config, std::vector<uint32_t>& ids) {
  const Json* eos = json_find(config, "eos_token_id");
  if (!eos) return {};
  const Json list = eos->is_array() ? *eos : Json::array({*eos});
  for (const Json& item : list) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > UINT32_MAX) {
      return fail(ErrorCode::kInvalidFile, "eos_token_id is {}, expected a token id or a list of token ids.",
                  shown(*eos));
    }
    const uint32_t id = item.get<uint32_t>();
    if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
  }
  return {};
}

}  // namespace

Result<void> read_rope_hf(const Config& config, Hparams& hp) {
  hp.rope = TRY(read_rope(config, rope_parameters(config.json()), hp));
  hp.local_rope = hp.rope;
  if (const std::optional<Json> local = local_rope_parameters(config.json())) {
    hp.local_rope = TRY(read_rope(config, *local, hp));
  }
  return {};
}

Result<std::optional<std::vector<bool>>> windowed_layers_hf(const Config& config, const Hparams& hp) {
  const Json* types = json_find(config.json(), "layer_types");
  if (!types) return std::nullopt;
  if (!types->is_array() || types->size() != hp.n_layers) {
    return fail(ErrorCode::kInvalidFile, "layer_types lists {} layers, num_hidden_layers is {}.", types->size(),
                hp.n_layers);
  }
  std::vector<bool> windowed;
  for (const Json& type : *types) {
    if (type != "full_attention" && type != "sliding_attention") {
      return fail(ErrorCode::kUnsupported, "layer_types has {}, supported are full_attention and sliding_attention.",
                  shown(type));
    }
    windowed.push_back(type == "sliding_attention");
  }
  return windowed;
}

Result<std::vector<uint32_t>> end_tokens_hf(const Config& config) {
  std::vector<uint32_t> ids;
  TRY(append_end_tokens(config.files().config, ids));
  TRY(append_end_tokens(config.json(), ids));
  TRY(append_end_tokens(config.files().generation_config, ids));
  return ids;
}

}  // namespace tern::models
