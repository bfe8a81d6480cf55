// Methods of strings, lists and dicts: those of Python that templates call.
#include <algorithm>
#include <span>

#include "text/jinja/builtins.h"
#include "text/jinja/strings.h"
#include "text/unicode.h"

namespace tern::text::jinja {
namespace {

using Call = Result<Value> (*)(Context&, const Value&, const Args&);
struct NamedMethod {
  std::string_view name;
  Call call;
};

bool given(const Value& v) {
  return !v.is_undefined() && !v.is(Kind::kNone);
}

Result<Value> strings_to_list(Context& context, const std::vector<std::string_view>& parts) {
  List items;
  for (const std::string_view part : parts) items.push_back(TRY(context.heap.string(std::string(part))));
  return context.heap.list(std::move(items));
}

template <bool kLeft, bool kRight>
Result<Value> strip(Context& context, const Value& self, const Args& args) {
  const auto [chars] = TRY(args.bind({"chars"}));
  std::string_view text = *self.string;
  if (given(chars)) {
    const std::string& set = *TRY(string_of(chars, "strip"));
    TRY(context.heap.spend(text.size() / 64 * (set.size() / 16 + 1)));
    if (kLeft) text = strip_left(text, set);
    if (kRight) text = strip_right(text, set);
  } else {
    if (kLeft) text = strip_left(text);
    if (kRight) text = strip_right(text);
  }
  return context.heap.string(std::string(text));
}

Result<Value> split_text(Context& context, const Value& self, const Args& args) {
  const auto [separator, limit] = TRY(args.bind({"sep", "maxsplit"}));
  const int64_t most = limit.is_undefined() ? -1 : TRY(integer_of(limit, "split"));
  if (!given(separator)) return strings_to_list(context, split_spaces(*self.string, most));
  const std::string& text = *TRY(string_of(separator, "split"));
  if (text.empty()) return fail(ErrorCode::kInvalidFile, "split needs a separator that is not empty.");
  return strings_to_list(context, split(*self.string, text, most));
}

Result<Value> rsplit_text(Context& context, const Value& self, const Args& args) {
  const auto [separator, limit] = TRY(args.bind({"sep", "maxsplit"}));
  const int64_t most = limit.is_undefined() ? -1 : TRY(integer_of(limit, "rsplit"));
  if (!given(separator)) return fail(ErrorCode::kUnsupported, "rsplit needs a separator here.");
  const std::string& text = *TRY(string_of(separator, "rsplit"));
  if (text.empty()) return fail(ErrorCode::kInvalidFile, "rsplit needs a separator that is not empty.");
  std::vector<std::string_view> parts;
  std::string_view rest = *self.string;
  TRY(context.heap.spend(rest.size() / 64 * (text.size() / 64 + 1)));
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t at = rest.rfind(text);
    if (at == std::string_view::npos) break;
    parts.push_back(rest.substr(at + text.size()));
    rest = rest.substr(0, at);
  }
  parts.push_back(rest);
  std::ranges::reverse(parts);
  return strings_to_list(context, parts);
}

Result<Value> splitlines(Context& context, const Value& self, const Args& args) {
  TRY(args.expect_none());
  return strings_to_list(context, split_lines(*self.string));
}

template <bool kStart>
Result<Value> starts_or_ends(Context& context, const Value& self, const Args& args) {
  const auto [affix] = TRY(args.bind({"affix"}));
  const List affixes = affix.is(Kind::kTuple) ? *affix.list : List{affix};
  for (const Value& a : affixes) {
    TRY(context.heap.look_at(a));
    const std::string& text = *TRY(string_of(a, kStart ? "startswith" : "endswith"));
    if (kStart ? self.string->starts_with(text) : self.string->ends_with(text)) return Value::of(true);
  }
  return Value::of(false);
}

template <std::string (*kMap)(std::string_view)>
Result<Value> map_text(Context& context, const Value& self, const Args& args) {
  TRY(args.expect_none());
  return context.heap.string(kMap(*self.string));
}

Result<Value> replace(Context& context, const Value& self, const Args& args) {
  return apply_filter(context, "replace", self, args);
}

Result<Value> find(Context& context, const Value& self, const Args& args) {
  const auto [part] = TRY(args.bind({"sub"}));
  TRY(context.heap.look_at(self));
  const size_t at = find_bytes(*self.string, *TRY(string_of(part, "find")), 0);
  if (at == std::string_view::npos) return Value::of(int64_t{-1});
  return Value::of(static_cast<int64_t>(count_code_points(std::string_view(*self.string).substr(0, at))));
}

Result<Value> count_text(Context&, const Value& self, const Args& args) {
  const auto [part] = TRY(args.bind({"sub"}));
  const std::string& text = *TRY(string_of(part, "count"));
  if (text.empty()) return Value::of(static_cast<int64_t>(count_code_points(*self.string) + 1));
  return Value::of(static_cast<int64_t>(split(*self.string, text, -1).size()) - 1);
}

Result<Value> join(Context& context, const Value& self, const Args& args) {
  const auto [items] = TRY(args.bind({"iterable"}));
  for (const Value& item : TRY(iterate(context.heap, items))) TRY(string_of(item, "join"));
  return apply_filter(context, "join", items, Args{{self}, {}});
}

// The argument that a replacement field names: by number, by name, or the next one.
Result<Value> format_argument(const Args& args, std::string_view field, size_t& next) {
  for (const auto& [name, value] : args.named) {
    if (name == field) return value;
  }
  const bool number = field.size() < 10 && std::ranges::all_of(field, [](char c) { return c >= '0' && c <= '9'; });
  if (!number) {
    return fail(ErrorCode::kUnsupported,
                "Tern's format has no value for \"{{{}}}\"; it knows {{}}, {{0}} and {{name}}.", field.substr(0, 64));
  }
  size_t index = 0;
  for (const char c : field) index = index * 10 + static_cast<size_t>(c - '0');
  if (field.empty()) index = next++;
  if (index < args.positional.size()) return args.positional[index];
  return fail(ErrorCode::kInvalidFile, "format has {} values, but value {} is asked for.", args.positional.size(),
              index);
}

// str.format with {}, {0}, {name} and doubled braces; conversions and format specifications are refused.
Result<Value> format(Context& context, const Value& self, const Args& args) {
  const std::string_view text = *self.string;
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      out += c;
      ++i;
    } else if (c == '{') {
      const size_t end = text.find('}', i);
      if (end == std::string_view::npos) return fail(ErrorCode::kInvalidFile, "A \"{{\" of format has no \"}}\".");
      const Value value = TRY(format_argument(args, text.substr(i + 1, end - i - 1), next));
      TRY(append_str(context.heap, out, value));
      i = end;
    } else if (c == '}') {
      return fail(ErrorCode::kInvalidFile, "A \"}}\" of format stands alone.");
    } else {
      out += c;
    }
  }
  return context.heap.string(std::move(out));
}

template <bool (*kIs)(uint32_t)>
Result<Value> all_characters(Context&, const Value& self, const Args& args) {
  TRY(args.expect_none());
  const std::string& text = *self.string;
  for (size_t pos = 0; pos < text.size();) {
    const Decoded d = decode_utf8(text, pos);
    if (!kIs(d.code_point)) return Value::of(false);
    pos += d.length;
  }
  return Value::of(!text.empty());
}
bool is_alphanumeric(uint32_t cp) {
  return is_letter(cp) || is_number(cp);
}

template <bool kPrefix>
Result<Value> remove_affix(Context& context, const Value& self, const Args& args) {
  const auto [affix] = TRY(args.bind({"affix"}));
  const std::string& part = *TRY(string_of(affix, kPrefix ? "removeprefix" : "removesuffix"));
  std::string_view text = *self.string;
  if (kPrefix && text.starts_with(part)) text.remove_prefix(part.size());
  if (!kPrefix && text.ends_with(part)) text.remove_suffix(part.size());
  return context.heap.string(std::string(text));
}

template <std::string_view const& kTest>
Result<Value> test_case(Context& context, const Value& self, const Args& args) {
  TRY(args.expect_none());
  return Value::of(TRY(apply_test(context, kTest, self, {})));
}
constexpr std::string_view kLowerTest = "lower", kUpperTest = "upper";

constexpr NamedMethod kStringMethods[] = {
    {"strip", strip<true, true>},
    {"lstrip", strip<true, false>},
    {"rstrip", strip<false, true>},
    {"split", split_text},
    {"rsplit", rsplit_text},
    {"splitlines", splitlines},
    {"startswith", starts_or_ends<true>},
    {"endswith", starts_or_ends<false>},
    {"upper", map_text<upper>},
    {"lower", map_text<lower>},
    {"title", map_text<title>},
    {"capitalize", map_text<capitalize>},
    {"replace", replace},
    {"find", find},
    {"count", count_text},
    {"join", join},
    {"format", format},
    {"isdigit", all_characters<is_number>},
    {"isalpha", all_characters<is_letter>},
    {"isalnum", all_characters<is_alphanumeric>},
    {"isspace", all_characters<is_python_space>},
    {"islower", test_case<kLowerTest>},
    {"isupper", test_case<kUpperTest>},
    {"removeprefix", remove_affix<true>},
    {"removesuffix", remove_affix<false>},
};

Result<Value> append(Context& context, const Value& self, const Args& args) {
  const auto [item] = TRY(args.bind({"object"}));
  TRY(context.heap.claim(sizeof(Value)));
  self.list->push_back(item);
  return Value::none();
}

Result<Value> index(Context& context, const Value& self, const Args& args) {
  const auto [item] = TRY(args.bind({"value"}));
  for (size_t i = 0; i < self.list->size(); ++i) {
    if (TRY(equal(context.heap, (*self.list)[i], item))) return Value::of(static_cast<int64_t>(i));
  }
  return fail(ErrorCode::kInvalidFile, "The list does not hold the value that \"index\" looks for.");
}

Result<Value> count_items(Context& context, const Value& self, const Args& args) {
  const auto [item] = TRY(args.bind({"value"}));
  int64_t count = 0;
  for (const Value& v : *self.list) count += TRY(equal(context.heap, v, item));
  return Value::of(count);
}

Result<Value> pop(Context&, const Value& self, const Args& args) {
  const auto [at] = TRY(args.bind({"index"}));
  const int64_t size = static_cast<int64_t>(self.list->size());
  const int64_t index = at.is_undefined() ? size - 1 : TRY(integer_of(at, "pop"));
  const int64_t place = index < 0 ? index + size : index;
  if (place < 0 || place >= size) return fail(ErrorCode::kInvalidFile, "pop takes item {} of {}.", index, size);
  const Value item = (*self.list)[static_cast<size_t>(place)];
  self.list->erase(self.list->begin() + place);
  return item;
}

constexpr NamedMethod kListMethods[] = {{"append", append}, {"pop", pop}, {"index", index}, {"count", count_items}};
constexpr NamedMethod kTupleMethods[] = {{"index", index}, {"count", count_items}};

template <bool kKeys, bool kValues>
Result<Value> entries(Context& context, const Value& self, const Args& args) {
  TRY(args.expect_none());
  List items;
  for (const auto& [key, value] : self.dict->items) {
    items.push_back(kKeys && kValues ? TRY(context.heap.list({key, value}, Kind::kTuple)) : kKeys ? key : value);
  }
  return context.heap.list(std::move(items));
}

Result<Value> get(Context& context, const Value& self, const Args& args) {
  const auto [key, fallback] = TRY(args.bind({"key", "default"}));
  for (const auto& [k, value] : self.dict->items) {
    if (TRY(equal(context.heap, k, key))) return value;
  }
  return fallback.is_undefined() ? Value::none() : fallback;
}

Result<Value> copy(Context& context, const Value& self, const Args& args) {
  TRY(args.expect_none());
  return context.heap.dict(*self.dict);
}

constexpr NamedMethod kDictMethods[] = {
    {"items", entries<true, true>},
    {"keys", entries<true, false>},
    {"values", entries<false, true>},
    {"get", get},
    {"copy", copy},
};

Call find_method(const Value& receiver, std::string_view name) {
  const auto in = [&](std::span<const NamedMethod> table) -> Call {
    const auto it = std::ranges::find(table, name, &NamedMethod::name);
    return it == table.end() ? nullptr : it->call;
  };
  switch (receiver.kind) {
    case Kind::kString:
      return in(kStringMethods);
    case Kind::kList:
      return in(kListMethods);
    case Kind::kTuple:
      return in(kTupleMethods);
    case Kind::kDict:
      return in(kDictMethods);
    default:
      return nullptr;
  }
}

}  // namespace

bool has_method(const Value& receiver, std::string_view name) {
  return find_method(receiver, name) != nullptr;
}

Result<Value> call_method(Context& context, const Method& method, const Args& args) {
  const Call call = find_method(method.receiver, method.name);
  ASSERT(call);
  return TRY_CTX(call(context, method.receiver, args), "while calling .{}()", method.name);
}

}  // namespace tern::text::jinja
