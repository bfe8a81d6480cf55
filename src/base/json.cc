#include "base/json.h"

#include <cmath>
#include <unordered_set>
#include <utility>
#include <vector>

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

// Builds the document from the library's events. Its own builder compares each new key with all before it, which takes
// half a minute for a vocabulary of 128k tokens; this one hashes the keys of large objects.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  std::string error;
  Json root;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Open& object = open_.back();
    auto& members = object.value->get_ref<Json::object_t&>();
    if (members.size() == kHashFrom) {
      for (const auto& member : members) object.keys.insert(member.first);
    }
    const bool known =
        members.size() < kHashFrom ? members.find(name) != members.end() : !object.keys.insert(name).second;
    if (known) {
      error = fmt::format("The JSON has the field \"{}\" twice in one object.", name.substr(0, 64));
      return false;
    }
    static_cast<Json::object_t::Container&>(members).emplace_back(std::move(name), nullptr);
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    error = fmt::format("The text is not valid JSON at byte {}.", position);
    return false;
  }

 private:
  static constexpr size_t kHashFrom = 16;
  struct Open {
    Json* value;
    std::unordered_set<std::string> keys;  // filled from kHashFrom members on
  };

  template <class T>
  Json& place(T&& value) {
    if (open_.empty()) return root = std::forward<T>(value);
    Json& parent = *open_.back().value;
    if (parent.is_array()) return parent.emplace_back(std::forward<T>(value));
    return parent.get_ref<Json::object_t&>().back().second = std::forward<T>(value);
  }
  template <class T>
  bool add(T&& value) {
    place(std::forward<T>(value));
    return true;
  }
  bool open(Json&& container) {
    open_.push_back({&place(std::move(container)), {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<Open> open_;
};

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
    return fail(ErrorCode::kInvalidFile, "The JSON is nested {} levels deep, at most {} are allowed.", depth,
                kMaxDepth);
  }
  Builder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    return fail(ErrorCode::kInvalidFile, "{} (The text has {} bytes.)", builder.error, text.size());
  }
  return std::move(builder.root);
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
