#include "io/metadata.h"

#include <array>
#include <type_traits>
#include <utility>

#include "io/text.h"

namespace tern::io {
namespace {

template <class T>
constexpr bool kIsArray = false;
template <class T>
constexpr bool kIsArray<std::vector<T>> = true;

template <class T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

std::unexpected<Error> missing(std::string_view key) {
  return fail(ErrorCode::kInvalidFile, "The metadata has no key {}.", key);
}

std::unexpected<Error> wrong(std::string_view key, const Metadata::Value& value, std::string_view wanted) {
  return fail(ErrorCode::kInvalidFile, "Metadata key {} is {} ({}), expected {}.", key, type_name(value),
              describe(value), wanted);
}

/// The value as an unsigned integer of at most `max`, if it is any integer type in that range.
std::optional<uint64_t> as_unsigned(const Metadata::Value& value, uint64_t max) {
  return std::visit(
      [max](const auto& v) -> std::optional<uint64_t> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (kIsInteger<T>) {
          if (std::in_range<uint64_t>(v) && static_cast<uint64_t>(v) <= max) return static_cast<uint64_t>(v);
        }
        return std::nullopt;
      },
      value);
}

template <class T>
std::string element_text(const T& element) {
  if constexpr (std::is_same_v<T, std::string>) {
    return '"' + printable(element) + '"';
  } else if constexpr (std::is_same_v<T, bool>) {
    return element ? "true" : "false";
  } else {
    return fmt::format("{}", element);
  }
}

}  // namespace

const Metadata::Value* Metadata::find(std::string_view key) const {
  const auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : &entries_[it->second].value;
}

Result<uint32_t> Metadata::get_u32(std::string_view key, std::optional<uint32_t> fallback) const {
  const Value* value = find(key);
  if (!value) return fallback ? Result<uint32_t>(*fallback) : missing(key);
  if (const auto number = as_unsigned(*value, UINT32_MAX)) return static_cast<uint32_t>(*number);
  return wrong(key, *value, "an integer from 0 to 4294967295");
}

Result<uint64_t> Metadata::get_u64(std::string_view key, std::optional<uint64_t> fallback) const {
  const Value* value = find(key);
  if (!value) return fallback ? Result<uint64_t>(*fallback) : missing(key);
  if (const auto number = as_unsigned(*value, UINT64_MAX)) return *number;
  return wrong(key, *value, "an integer of at least 0");
}

Result<float> Metadata::get_f32(std::string_view key, std::optional<float> fallback) const {
  const Value* value = find(key);
  if (!value) return fallback ? Result<float>(*fallback) : missing(key);
  const auto number = std::visit(
      [](const auto& v) -> std::optional<float> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (kIsInteger<T> || std::is_floating_point_v<T>) return static_cast<float>(v);
        return std::nullopt;
      },
      *value);
  if (number) return *number;
  return wrong(key, *value, "a number");
}

Result<bool> Metadata::get_bool(std::string_view key, std::optional<bool> fallback) const {
  const Value* value = find(key);
  if (!value) return fallback ? Result<bool>(*fallback) : missing(key);
  if (const bool* flag = std::get_if<bool>(value)) return *flag;
  return wrong(key, *value, "a bool");
}

Result<std::string> Metadata::get_string(std::string_view key, std::optional<std::string> fallback) const {
  const Value* value = find(key);
  if (!value) return fallback ? Result<std::string>(*std::move(fallback)) : missing(key);
  if (const std::string* text = std::get_if<std::string>(value)) return *text;
  return wrong(key, *value, "a string");
}

Result<std::span<const std::string>> Metadata::find_strings(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::span<const std::string>();
  if (const auto* strings = std::get_if<std::vector<std::string>>(value)) return std::span(*strings);
  return wrong(key, *value, "an array of strings");
}

Result<std::vector<int32_t>> Metadata::find_i32s(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::vector<int32_t>();
  auto numbers = std::visit(
      [](const auto& v) -> std::optional<std::vector<int32_t>> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (kIsArray<T>) {
          using E = typename T::value_type;
          if constexpr (std::is_integral_v<E>) {
            std::vector<int32_t> out;
            out.reserve(v.size());
            for (const E element : v) {
              if constexpr (kIsInteger<E>) {
                if (!std::in_range<int32_t>(element)) return std::nullopt;
              }
              out.push_back(static_cast<int32_t>(element));
            }
            return out;
          }
        }
        return std::nullopt;
      },
      *value);
  if (numbers) return *std::move(numbers);
  return wrong(key, *value, "an array of integers from -2147483648 to 2147483647");
}

Result<std::vector<float>> Metadata::find_f32s(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return std::vector<float>();
  auto numbers = std::visit(
      [](const auto& v) -> std::optional<std::vector<float>> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (kIsArray<T>) {
          using E = typename T::value_type;
          if constexpr (kIsInteger<E> || std::is_floating_point_v<E>) return std::vector<float>(v.begin(), v.end());
        }
        return std::nullopt;
      },
      *value);
  if (numbers) return *std::move(numbers);
  return wrong(key, *value, "an array of numbers");
}

Result<void> Metadata::add(std::string key, Value value) {
  if (!by_key_.try_emplace(key, static_cast<uint32_t>(entries_.size())).second) {
    return fail(ErrorCode::kInvalidFile, "Metadata key {} appears twice, every key must be unique.", printable(key));
  }
  entries_.push_back({std::move(key), std::move(value)});
  return {};
}

std::string type_name(const Metadata::Value& value) {
  static constexpr std::array kNames = {"u8",  "i8",   "u16",    "i16", "u32", "i32",
                                        "f32", "bool", "string", "u64", "i64", "f64"};
  static_assert(std::variant_size_v<Metadata::Value> == 2 * kNames.size());
  if (value.index() < kNames.size()) return kNames[value.index()];
  return fmt::format("array of {}", kNames[value.index() - kNames.size()]);
}

std::string describe(const Metadata::Value& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (kIsArray<T>) {
          constexpr size_t kShown = 4;
          std::string out = fmt::format("{} elements: [", grouped(v.size()));
          for (size_t i = 0; i < v.size() && i < kShown; ++i) {
            out += (i ? ", " : "") + element_text<typename T::value_type>(v[i]);
          }
          return out + (v.size() > kShown ? ", ...]" : "]");
        } else {
          return element_text(v);
        }
      },
      value);
}

}  // namespace tern::io
