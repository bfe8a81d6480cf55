// Metadata: a GGUF's key -> typed value table, in file order. Values keep the type the file gave them; the getters
// accept whatever converts without loss, because writers differ (a count may be u32, i32 or u64).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "io/string_map.h"

namespace tern::io {

class Metadata {
 public:
  /// The 12 scalar types of GGUF and arrays of them. Arrays of arrays exist in the format, but no known model uses
  /// them; the reader refuses them.
  using Value =
      std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string, uint64_t, int64_t,
                   double, std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
                   std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>, std::vector<bool>,
                   std::vector<std::string>, std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;
  struct Entry {
    std::string key;
    Value value;
  };

  std::span<const Entry> entries() const { return entries_; }
  /// nullptr when absent.
  const Value* find(std::string_view key) const;
  bool contains(std::string_view key) const { return find(key) != nullptr; }

  /// Errors of all getters: kInvalidFile naming key, type or value found and wanted; absent is an error only without a
  /// fallback. get_u32 and get_u64 take any integer type that holds a value in range, get_f32 any number.
  Result<uint32_t> get_u32(std::string_view key, std::optional<uint32_t> fallback = std::nullopt) const;
  Result<uint64_t> get_u64(std::string_view key, std::optional<uint64_t> fallback = std::nullopt) const;
  Result<float> get_f32(std::string_view key, std::optional<float> fallback = std::nullopt) const;
  Result<bool> get_bool(std::string_view key, std::optional<bool> fallback = std::nullopt) const;
  Result<std::string> get_string(std::string_view key, std::optional<std::string> fallback = std::nullopt) const;

  /// Arrays; empty when absent. find_i32s takes any integer (or bool) elements in range, find_f32s any numbers.
  Result<std::span<const std::string>> find_strings(std::string_view key) const;
  Result<std::vector<int32_t>> find_i32s(std::string_view key) const;
  Result<std::vector<float>> find_f32s(std::string_view key) const;

  /// Errors: kInvalidFile when the key is taken.
  Result<void> add(std::string key, Value value);

 private:
  std::vector<Entry> entries_;
  StringMap<uint32_t> by_key_;
};

/// "u32", "array of string".
std::string type_name(const Metadata::Value& value);
/// For people: the value itself, strings quoted and cut, arrays by length and first elements.
std::string describe(const Metadata::Value& value);

}  // namespace tern::io
