#include "models/common/config.h"

#include <cmath>

#include "io/model_files.h"

namespace tern::models {
namespace {

using io::Metadata;

// Per-layer arrays (head_count_kv of some GGUF writers) are fine as long as all layers agree.
Result<uint32_t> same_in_all_layers(const Metadata& metadata, const std::string& key) {
  const std::vector<int32_t> values = TRY(metadata.find_i32s(key));
  for (const int32_t value : values) {
    if (value != values[0] || value < 0) {
      return fail(ErrorCode::kUnsupported, "{} differs between layers ({} and {}), supported is one value for all.",
                  key, values[0], value);
    }
  }
  if (values.empty()) return fail(ErrorCode::kInvalidFile, "{} is an empty array, expected a number.", key);
  return static_cast<uint32_t>(values[0]);
}

bool is_array(const Metadata::Value& value) {
  return std::visit([]<class T>(const T&) { return requires(T v) { v.size(); } && !std::is_same_v<T, std::string>; },
                    value);
}

}  // namespace

Config::Config(const io::ModelFiles& files, std::string gguf_prefix)
    : files_(files), gguf_prefix_(std::move(gguf_prefix)), json_(&files.config) {
  const Json* text_part = json_find(files.config, "text_config");
  if (text_part && text_part->is_object()) json_ = text_part;
}

bool Config::is_gguf() const {
  return files_.kind == io::ModelFiles::Kind::kGguf;
}

std::string Config::name(const Field& field) const {
  return is_gguf() ? key(field.gguf) : std::string(field.hf);
}

bool Config::has(const Field& field) const {
  if (is_gguf()) return !field.gguf.empty() && files_.metadata.contains(key(field.gguf));
  return !field.hf.empty() && json_find(*json_, field.hf);
}

Result<uint32_t> Config::u32(const Field& field, U32Range allowed, std::optional<uint32_t> fallback) const {
  if (!has(field)) {
    if (fallback) return *fallback;
    return fail(ErrorCode::kInvalidFile, "{} is missing, expected a number from {} to {}.", name(field), allowed.min,
                allowed.max);
  }
  uint32_t value = 0;
  if (!is_gguf()) {
    value = TRY(json_u32(*json_, field.hf));
  } else if (is_array(*files_.metadata.find(key(field.gguf)))) {
    value = TRY(same_in_all_layers(files_.metadata, key(field.gguf)));
  } else {
    value = TRY(files_.metadata.get_u32(key(field.gguf)));
  }
  if (value < allowed.min || value > allowed.max) {
    return fail(ErrorCode::kInvalidFile, "{} is {}, allowed are {} to {}.", name(field), value, allowed.min,
                allowed.max);
  }
  return value;
}

Result<double> Config::number(const Field& field, NumberRange allowed, std::optional<double> fallback) const {
  if (!is_gguf()) return json_ranged(*json_, "", field.hf, allowed, fallback);
  if (!has(field)) {
    if (fallback) return *fallback;
    return fail(ErrorCode::kInvalidFile, "{} is missing, expected a number from {} to {}.", name(field), allowed.min,
                allowed.max);
  }
  const double value = TRY(files_.metadata.get_f32(key(field.gguf)));
  if (!(value >= allowed.min && value <= allowed.max)) {
    return fail(ErrorCode::kInvalidFile, "{} is {}, allowed are {} to {}.", name(field), value, allowed.min,
                allowed.max);
  }
  return value;
}

Result<bool> Config::flag(const Field& field, bool fallback) const {
  if (!has(field)) return fallback;
  if (!is_gguf()) return json_bool(*json_, field.hf);
  return files_.metadata.get_bool(key(field.gguf));
}

Result<std::string> Config::text(const Field& field, std::string fallback) const {
  if (!has(field)) return fallback;
  if (!is_gguf()) return json_string(*json_, field.hf);
  return files_.metadata.get_string(key(field.gguf));
}

Result<double> json_ranged(const Json& object, std::string_view where, std::string_view key, NumberRange allowed,
                           std::optional<double> fallback) {
  if (key.empty() && fallback) return *fallback;
  const double value = TRY(json_number(object, key, fallback));
  if (!json_find(object, key) || (value >= allowed.min && value <= allowed.max)) return value;
  return fail(ErrorCode::kInvalidFile, "{}{}{} is {}, allowed are {} to {}.", where, where.empty() ? "" : ".", key,
              value, allowed.min, allowed.max);
}

std::string shown(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80);
}

}  // namespace tern::models
