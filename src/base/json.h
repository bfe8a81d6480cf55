// JSON for configs, tokenizers and server messages: nlohmann-json, which without exceptions aborts on a wrong type.
// So everyone parses with parse_json() and reads fields with the checked accessors below, never with get<>() directly.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tern {

using Json = nlohmann::ordered_json;

/// Parses UTF-8 text in linear time. Errors: kInvalidFile with the byte offset, or naming a field that an object has
/// twice (readers disagree on which counts, so neither may). Nesting deeper than 128 is refused (the library
/// parses iteratively, but its destructor and our walkers recurse).
Result<Json> parse_json(std::string_view text);

/// Field access on an object: nullptr when absent, or present and null.
const Json* json_find(const Json& object, std::string_view key);

/// Typed, checked reads. Absent (or null) gives `fallback`; a wrong type or range is kInvalidFile naming the field.
Result<uint32_t> json_u32(const Json& object, std::string_view key, std::optional<uint32_t> fallback = std::nullopt);
Result<double> json_number(const Json& object, std::string_view key, std::optional<double> fallback = std::nullopt);
Result<bool> json_bool(const Json& object, std::string_view key, std::optional<bool> fallback = std::nullopt);
Result<std::string> json_string(const Json& object, std::string_view key,
                                std::optional<std::string> fallback = std::nullopt);

}  // namespace tern
