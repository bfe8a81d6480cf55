// Config: one way to ask for hyperparameters, answered by GGUF metadata or by a Hugging Face config.json. Every read
// names the range it allows, so an error names the field as the file spells it, the value found and the value allowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace tern::io {
struct ModelFiles;
class Metadata;
}  // namespace tern::io

namespace tern::models {

struct Hparams;

/// How the two sources spell a field; empty where a source has no such field.
struct Field {
  std::string_view gguf;  // after "<architecture>."
  std::string_view hf;    // key of config.json
};

struct U32Range {
  uint32_t min, max;
};
struct NumberRange {
  double min, max;
};

class Config {
 public:
  /// files must outlive the Config. gguf_prefix: general.architecture.
  Config(const io::ModelFiles& files, std::string gguf_prefix);

  bool is_gguf() const;
  const io::ModelFiles& files() const { return files_; }
  /// As the file spells it: "llama.attention.head_count", "num_attention_heads".
  std::string name(const Field& field) const;
  bool has(const Field& field) const;

  /// Absent (or null) gives the fallback, or kInvalidFile without one.
  Result<uint32_t> u32(const Field& field, U32Range allowed, std::optional<uint32_t> fallback = {}) const;
  Result<double> number(const Field& field, NumberRange allowed, std::optional<double> fallback = {}) const;
  Result<bool> flag(const Field& field, bool fallback) const;
  Result<std::string> text(const Field& field, std::string fallback) const;

  /// config.json, or its "text_config" where a model has several parts. Only for Hugging Face.
  const Json& json() const { return *json_; }
  /// Only for GGUF: the full key of a field.
  std::string key(std::string_view suffix) const { return gguf_prefix_ + "." + std::string(suffix); }

 private:
  const io::ModelFiles& files_;
  std::string gguf_prefix_;
  const Json* json_;
};

/// Reads a number of `object` as Config::number does. where: "rope_scaling", for messages.
Result<double> json_ranged(const Json& object, std::string_view where, std::string_view key, NumberRange allowed,
                           std::optional<double> fallback = {});

/// A value as messages show it: JSON, cut after 80 bytes, safe on any bytes.
std::string shown(const Json& value);

// What every architecture may ask for.
inline constexpr U32Range kContextRange{1, 1u << 24};
inline constexpr NumberRange kThetaRange{1, 1e12};
inline constexpr NumberRange kSoftcapRange{0, 1e6};

inline constexpr Field kAttnSoftcap{"attn_logit_softcapping", "attn_logit_softcapping"};
inline constexpr Field kFinalSoftcap{"final_logit_softcapping", "final_logit_softcapping"};

// Shared steps of the hooks in src/models/*.cc.

/// Fills hp.attn_scale from query_pre_attn_scalar. GGUF files have no such key: the models with `layers_of_27b` layers
/// divide by sqrt(d_model / n_heads), all others by sqrt(head_dim).
Result<void> read_query_scale(const Config& config, uint32_t layers_of_27b, Hparams& hp);
/// Fills hp.experts. d_ff: where the source keeps the width of an expert.
Result<void> read_experts(const Config& config, const Field& d_ff, Hparams& hp);

}  // namespace tern::models
