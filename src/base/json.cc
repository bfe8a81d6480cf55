#include "base/json.h"

#include <cmath>

namespace tern {
namespace {

constexpr int kMaxDepth = 128;

// The deepest nesting of the text, counted outside strings; cheap beside the parse and safe on any bytes.
int nesting_depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

std::unexpected<Error> missing(std::string_view key) {
  return fail(ErrorCode::kInvalidFile, "Field \"{}\" is missing.", key);
}

std::unexpected<Error> wrong(std::string_view key, const Json& value, std::string_view allowed) {
  return fail(ErrorCode::kInvalidFile, "Field \"{}\" is {}, expected {}.", key,
              value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80), allowed);
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  const int depth = nesting_depth(text);
  if (depth > kMaxDepth) {
    return fail(ErrorCode::kInvalidFile, "The JSON is nested {} levels deep, at most {} are allowed.", depth, kMaxDepth);
  }
  Json parsed = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return fail(ErrorCode::kInvalidFile, "The text ({} bytes) is not valid JSON.", text.size());
  return parsed;
}

const Json* json_find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(std::string(key));
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

Result<uint32_t> json_u32(const Json& object, std::string_view key, std::optional<uint32_t> fallback) {
  const Json* value = json_find(object, key);
  if (!value) return fallback ? Result<uint32_t>(*fallback) : missing(key);
  if (value->is_number_unsigned() && value->get<uint64_t>() <= UINT32_MAX) return value->get<uint32_t>();
  return wrong(key, *value, "an integer from 0 to 4294967295");
}

Result<double> json_number(const Json& object, std::string_view key, std::optional<double> fallback) {
  const Json* value = json_find(object, key);
  if (!value) return fallback ? Result<double>(*fallback) : missing(key);
  if (value->is_number() && std::isfinite(value->get<double>())) return value->get<double>();
  return wrong(key, *value, "a finite number");
}

Result<bool> json_bool(const Json& object, std::string_view key, std::optional<bool> fallback) {
  const Json* value = json_find(object, key);
  if (!value) return fallback ? Result<bool>(*fallback) : missing(key);
  if (value->is_boolean()) return value->get<bool>();
  return wrong(key, *value, "true or false");
}

Result<std::string> json_string(const Json& object, std::string_view key, std::optional<std::string> fallback) {
  const Json* value = json_find(object, key);
  if (!value) return fallback ? Result<std::string>(*std::move(fallback)) : missing(key);
  if (value->is_string()) return value->get<std::string>();
  return wrong(key, *value, "a string");
}

}  // namespace tern
