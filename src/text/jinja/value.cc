#include "text/jinja/value.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/strings.h"
#include "text/unicode.h"

namespace tern::text::jinja {
namespace {

constexpr int kMaxDepth = 200;  // of values inside values; JSON input has at most 128

std::unexpected<Error> too_deep() {
  return fail(ErrorCode::kInvalidFile, "A value is nested more than {} levels deep.", kMaxDepth);
}

bool keys_equal(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) return *a.string == *b.string;
  if (a.is_number() && b.is_number()) return a.as_double() == b.as_double();
  return a.kind == b.kind && a.is(Kind::kNone);
}

}  // namespace

const Value* Dict::find(std::string_view key) const {
  for (const auto& [k, v] : items) {
    if (k.is_string() && *k.string == key) return &v;
  }
  return nullptr;
}

void Dict::set(Value key, Value value) {
  for (auto& [k, v] : items) {
    if (keys_equal(k, key)) {
      v = value;
      return;
    }
  }
  items.emplace_back(key, value);
}

Result<void> Heap::spend(size_t steps) {
  if (steps > static_cast<size_t>(budget_.steps)) {
    return fail(ErrorCode::kInvalidFile, "The template does not end within {} steps.", full_.steps);
  }
  budget_.steps -= static_cast<int64_t>(steps);
  return {};
}

Result<void> Heap::claim(size_t bytes) {
  if (bytes > static_cast<size_t>(budget_.bytes)) {
    return fail(ErrorCode::kInvalidFile, "The template builds more than {} bytes of text and lists.", full_.bytes);
  }
  budget_.bytes -= static_cast<int64_t>(bytes);
  return {};
}

Result<void> Heap::look_at(const Value& value) {
  // A step is some tens of nanoseconds: the time to scan about so many bytes or items.
  if (value.is_string()) return spend(value.string->size() / 64);
  if (value.is_sequence()) return spend(value.list->size() / 4);
  if (value.is(Kind::kDict) || value.is(Kind::kNamespace)) return spend(value.dict->items.size() / 4);
  return {};
}

Result<Value> Heap::string(std::string text) {
  TRY(claim(text.size() + sizeof(std::string)));
  return Value::of(&strings_.emplace_back(std::move(text)));
}

Result<Value> Heap::list(List items, Kind kind) {
  TRY(claim(items.size() * sizeof(Value) + sizeof(List)));
  Value v;
  v.kind = kind;
  v.list = &lists_.emplace_back(std::move(items));
  return v;
}

Result<Value> Heap::dict(Dict dict, Kind kind) {
  TRY(claim(dict.items.size() * 2 * sizeof(Value) + sizeof(Dict)));
  Value v;
  v.kind = kind;
  v.dict = &dicts_.emplace_back(std::move(dict));
  return v;
}

Result<Value> Heap::loop(List items) {
  TRY(claim(items.size() * sizeof(Value) + sizeof(LoopState)));
  Value v;
  v.kind = Kind::kLoop;
  v.loop = &loops_.emplace_back();
  v.loop->items = std::move(items);
  return v;
}

Result<Value> Heap::method(const Value& receiver, std::string_view name) {
  TRY(claim(sizeof(Method)));
  Value v;
  v.kind = Kind::kMethod;
  v.method = &methods_.emplace_back(Method{receiver, std::string(name)});
  return v;
}

Result<Value> Heap::undefined(std::string what) {
  Value v = TRY(string(std::move(what)));
  v.kind = Kind::kUndefined;
  return v;
}

Result<Value> Heap::from_json(const Json& json) {
  if (json.is_null() || json.is_discarded()) return Value::none();
  if (json.is_boolean()) return Value::of(json.get<bool>());
  if (json.is_string()) return string(json.get_ref<const std::string&>());
  if (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX) return Value::of(json.get<double>());
  if (json.is_number_integer()) return Value::of(json.get<int64_t>());
  if (json.is_number_float()) return Value::of(json.get<double>());
  if (json.is_array()) {
    List items;
    for (const Json& item : json) items.push_back(TRY(from_json(item)));
    return list(std::move(items));
  }
  Dict result;
  for (const auto& [key, item] : json.items()) {
    const Value k = TRY(string(key));
    result.items.emplace_back(k, TRY(from_json(item)));
  }
  return dict(std::move(result));
}

bool truthy(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean;
    case Kind::kInt:
      return value.integer != 0;
    case Kind::kFloat:
      return value.number != 0;
    case Kind::kString:
      return !value.string->empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.list->empty();
    case Kind::kDict:
      return !value.dict->items.empty();
    default:
      return true;
  }
}

std::string_view kind_name(const Value& value) {
  constexpr std::string_view kNames[] = {"undefined", "none", "boolean",   "integer", "float", "string",   "list",
                                         "tuple",     "dict", "namespace", "loop",    "macro", "function", "method"};
  return kNames[static_cast<size_t>(value.kind)];
}

std::unexpected<Error> undefined_error(const Value& value) {
  return fail(ErrorCode::kInvalidFile, "{}.", value.string ? *value.string : "A value is undefined");
}

Result<bool> equal(Heap& heap, const Value& a, const Value& b, int depth) {
  if (depth > kMaxDepth) return too_deep();
  TRY(heap.spend(1));
  if (a.is_number() && b.is_number()) {
    return a.is_integral() && b.is_integral() ? a.as_int() == b.as_int() : a.as_double() == b.as_double();
  }
  if (a.kind != b.kind) return false;
  if (a.is_string()) {
    TRY(heap.look_at(a));
    return *a.string == *b.string;
  }
  if (a.is_sequence()) {
    if (a.list->size() != b.list->size()) return false;
    for (size_t i = 0; i < a.list->size(); ++i) {
      if (!TRY(equal(heap, (*a.list)[i], (*b.list)[i], depth + 1))) return false;
    }
    return true;
  }
  if (a.is(Kind::kDict)) {
    if (a.dict->items.size() != b.dict->items.size()) return false;
    for (const auto& [key, value] : a.dict->items) {
      TRY(heap.look_at(b));
      const auto other = std::ranges::find_if(b.dict->items, [&](const auto& i) { return keys_equal(i.first, key); });
      if (other == b.dict->items.end() || !TRY(equal(heap, value, other->second, depth + 1))) return false;
    }
    return true;
  }
  return a.is_undefined() || a.is(Kind::kNone) || a.string == b.string;  // the rest: the same object
}

Result<int> compare(Heap& heap, const Value& a, const Value& b, int depth) {
  if (depth > kMaxDepth) return too_deep();
  TRY(heap.spend(1));
  const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
  if (a.is_integral() && b.is_integral()) return order(a.as_int(), b.as_int());
  if (a.is_number() && b.is_number()) return order(a.as_double(), b.as_double());
  if (a.is_string() && b.is_string()) {
    TRY(heap.look_at(a));
    return order(*a.string, *b.string);  // UTF-8 sorts as its code points do
  }
  if (a.is_sequence() && b.kind == a.kind) {
    for (size_t i = 0; i < std::min(a.list->size(), b.list->size()); ++i) {
      const int item = TRY(compare(heap, (*a.list)[i], (*b.list)[i], depth + 1));
      if (item != 0) return item;
    }
    return order(a.list->size(), b.list->size());
  }
  if (a.is_undefined()) return undefined_error(a);
  if (b.is_undefined()) return undefined_error(b);
  return fail(ErrorCode::kInvalidFile, "A {} and a {} have no order.", kind_name(a), kind_name(b));
}

Result<bool> contains(Heap& heap, const Value& container, const Value& item) {
  TRY(heap.look_at(container));
  switch (container.kind) {
    case Kind::kUndefined:
      return false;
    case Kind::kString:
      if (!item.is_string()) {
        return fail(ErrorCode::kInvalidFile, "\"in\" of a string needs a string on its left, not a {}.",
                    kind_name(item));
      }
      return find_bytes(*container.string, *item.string, 0) != std::string_view::npos;
    case Kind::kList:
    case Kind::kTuple:
      for (const Value& v : *container.list) {
        if (TRY(equal(heap, v, item))) return true;
      }
      return false;
    case Kind::kDict:
      return std::ranges::any_of(container.dict->items, [&](const auto& i) { return keys_equal(i.first, item); });
    default:
      return fail(ErrorCode::kInvalidFile, "\"in\" needs a string, list or dict on its right, not a {}.",
                  kind_name(container));
  }
}

Result<List> iterate(Heap& heap, const Value& value) {
  List items;
  switch (value.kind) {
    case Kind::kUndefined:
      break;
    case Kind::kList:
    case Kind::kTuple:
      TRY(heap.claim(value.list->size() * sizeof(Value)));
      items = *value.list;
      break;
    case Kind::kDict:
      TRY(heap.claim(value.dict->items.size() * sizeof(Value)));
      for (const auto& item : value.dict->items) items.push_back(item.first);
      break;
    case Kind::kString:
      for (size_t pos = 0; pos < value.string->size();) {
        const uint32_t length = decode_utf8(*value.string, pos).length;
        items.push_back(TRY(heap.string(value.string->substr(pos, length))));
        pos += length;
      }
      break;
    default:
      return fail(ErrorCode::kInvalidFile, "A {} cannot be iterated over.", kind_name(value));
  }
  TRY(heap.spend(items.size() / 4));
  return items;
}

}  // namespace tern::text::jinja
