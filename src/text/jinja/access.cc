// Attributes, items and slices; arguments of builtins.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/strings.h"
#include "text/unicode.h"

namespace tern::text::jinja {
namespace {

Result<Value> missing(Context& context, const Value& object, std::string_view name) {
  return context.heap.undefined(fmt::format("A {} has no attribute \"{}\"", kind_name(object), name.substr(0, 64)));
}

// The attributes of `loop`, as Jinja's documentation lists them.
Result<Value> loop_attribute(Context& context, const Value& object, std::string_view name) {
  const LoopState& loop = *object.loop;
  const auto number = [](size_t n) { return Value::of(static_cast<int64_t>(n)); };
  const size_t length = loop.items.size();
  if (name == "index") return number(loop.index + 1);
  if (name == "index0") return number(loop.index);
  if (name == "revindex") return number(length - loop.index);
  if (name == "revindex0") return number(length - loop.index - 1);
  if (name == "first") return Value::of(loop.index == 0);
  if (name == "last") return Value::of(loop.index + 1 == length);
  if (name == "length") return number(length);
  if (name == "depth") return number(1);
  if (name == "depth0") return number(0);
  if (name == "previtem" && loop.index > 0) return loop.items[loop.index - 1];
  if (name == "nextitem" && loop.index + 1 < length) return loop.items[loop.index + 1];
  if (name == "cycle" || name == "changed") return context.heap.method(object, name);
  return missing(context, object, name);
}

// Python's slice.indices(): where to begin, the step, and how many items.
struct SliceRange {
  int64_t start = 0, step = 1, count = 0;
};

Result<SliceRange> slice_range(int64_t length, const Value& start, const Value& stop, const Value& step) {
  const auto given = [](const Value& v) { return !v.is(Kind::kNone) && !v.is_undefined(); };
  SliceRange range;
  if (given(step)) range.step = TRY(integer_of(step, "The step of a slice"));
  if (range.step == 0) return fail(ErrorCode::kInvalidFile, "The step of a slice is 0.");
  const bool forward = range.step > 0;
  const int64_t low = forward ? 0 : -1, high = forward ? length : length - 1;
  const auto bound = [&](int64_t at) {
    return std::clamp(at < 0 ? std::max(at, -length - 1) + length : at, low, high);
  };
  range.start = given(start) ? bound(TRY(integer_of(start, "The start of a slice"))) : forward ? low : high;
  const int64_t end = given(stop) ? bound(TRY(integer_of(stop, "The end of a slice"))) : forward ? high : low;
  const uint64_t distance =
      static_cast<uint64_t>(std::max<int64_t>(forward ? end - range.start : range.start - end, 0));
  const uint64_t stride = forward ? static_cast<uint64_t>(range.step) : 0 - static_cast<uint64_t>(range.step);
  range.count = static_cast<int64_t>(distance / stride + (distance % stride != 0));
  return range;
}

Result<Value> item_of_string(Context& context, const std::string& text, int64_t index, const Value& object) {
  const std::vector<uint32_t> offsets = code_point_offsets(text);
  const int64_t length = static_cast<int64_t>(offsets.size()) - 1;
  const int64_t at = index < 0 ? index + length : index;
  if (at < 0 || at >= length) return missing(context, object, fmt::format("{}", index));
  const size_t i = static_cast<size_t>(at);
  return context.heap.string(text.substr(offsets[i], offsets[i + 1] - offsets[i]));
}

}  // namespace

Result<void> Args::bind_into(Value* values, const char* const* names, size_t count) const {
  if (positional.size() > count) {
    return fail(ErrorCode::kInvalidFile, "{} arguments are given, at most {} are allowed.", positional.size(), count);
  }
  std::copy(positional.begin(), positional.end(), values);
  for (const auto& [name, value] : named) {
    const auto at = std::find_if(names, names + count, [&](const char* known) { return name == known; });
    if (at == names + count) return fail(ErrorCode::kInvalidFile, "There is no parameter \"{}\".", name.substr(0, 64));
    values[at - names] = value;
  }
  return {};
}

Result<int64_t> integer_of(const Value& value, std::string_view what) {
  if (value.is_integral()) return value.as_int();
  if (value.is_undefined()) return undefined_error(value);
  return fail(ErrorCode::kInvalidFile, "{} needs an integer, not a {}.", what, kind_name(value));
}

Result<const std::string*> string_of(const Value& value, std::string_view what) {
  if (value.is_string()) return value.string;
  if (value.is_undefined()) return undefined_error(value);
  return fail(ErrorCode::kInvalidFile, "{} needs a string, not a {}.", what, kind_name(value));
}

Result<Value> get_attribute(Context& context, const Value& object, std::string_view name) {
  TRY(context.heap.look_at(object));
  if (object.is_undefined()) return undefined_error(object);
  if (object.is(Kind::kLoop)) return loop_attribute(context, object, name);
  if (has_method(object, name)) return context.heap.method(object, name);
  if (object.is(Kind::kDict) || object.is(Kind::kNamespace)) {
    if (const Value* value = object.dict->find(name)) return *value;
  }
  return missing(context, object, name);
}

Result<Value> get_item(Context& context, const Value& object, const Value& key) {
  TRY(context.heap.look_at(object));
  if (object.is_undefined()) return undefined_error(object);
  if (object.is(Kind::kDict)) {
    for (const auto& [k, value] : object.dict->items) {
      if (TRY(equal(context.heap, k, key))) return value;
    }
  }
  if (key.is_integral() && object.is_sequence()) {
    const int64_t length = static_cast<int64_t>(object.list->size());
    const int64_t index = key.as_int(), at = index < 0 ? index + length : index;
    if (at >= 0 && at < length) return (*object.list)[static_cast<size_t>(at)];
  }
  if (key.is_integral() && object.is_string()) return item_of_string(context, *object.string, key.as_int(), object);
  if (key.is_string()) return get_attribute(context, object, *key.string);
  return missing(context, object, TRY(to_str(context.heap, key)));
}

Result<Value> get_slice(Context& context, const Value& object, const Value& start, const Value& stop,
                        const Value& step) {
  TRY(context.heap.look_at(object));
  if (object.is_undefined()) return undefined_error(object);
  if (object.is_string()) {
    const std::string& text = *object.string;
    const std::vector<uint32_t> offsets = code_point_offsets(text);
    const SliceRange range = TRY(slice_range(static_cast<int64_t>(offsets.size()) - 1, start, stop, step));
    std::string out;
    for (int64_t i = 0; i < range.count; ++i) {
      const size_t at = static_cast<size_t>(range.start + i * range.step);
      out.append(text, offsets[at], offsets[at + 1] - offsets[at]);
    }
    return context.heap.string(std::move(out));
  }
  if (!object.is_sequence()) return fail(ErrorCode::kInvalidFile, "A {} cannot be sliced.", kind_name(object));
  const SliceRange range = TRY(slice_range(static_cast<int64_t>(object.list->size()), start, stop, step));
  List items;
  for (int64_t i = 0; i < range.count; ++i) {
    items.push_back((*object.list)[static_cast<size_t>(range.start + i * range.step)]);
  }
  return context.heap.list(std::move(items), object.kind);
}

Result<Value> get_path(Context& context, const Value& object, const Value& path) {
  if (!path.is_string()) return get_item(context, object, path);
  Value value = object;
  for (const std::string_view part : split(*path.string, ".", -1)) {
    const bool index =
        !part.empty() && part.size() < 10 && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    int64_t number = 0;
    for (const char c : part) number = index ? number * 10 + (c - '0') : 0;
    const Value key = index ? Value::of(number) : TRY(context.heap.string(std::string(part)));
    value = TRY(get_item(context, value, key));
  }
  return value;
}

}  // namespace tern::text::jinja
