// Filters on text and numbers.
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "text/jinja/builtins.h"
#include "text/jinja/strings.h"
#include "text/unicode.h"

namespace tern::text::jinja {
namespace {

bool given(const Value& v) {
  return !v.is_undefined() && !v.is(Kind::kNone);
}

// Most filters of text first turn their input into text.
Result<Value> text_of(Context& context, const Value& input) {
  return input.is_string() ? input : context.heap.string(TRY(to_str(context.heap, input)));
}

template <std::string (*kMap)(std::string_view)>
Result<Value> map_text(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  const Value text = TRY(text_of(context, input));
  return context.heap.string(kMap(*text.string));
}

Result<Value> trim(Context& context, const Value& input, const Args& args) {
  const auto [chars] = TRY(args.bind({"chars"}));
  const Value text = TRY(text_of(context, input));
  if (!given(chars)) return context.heap.string(std::string(strip_right(strip_left(*text.string))));
  const std::string& set = *TRY(string_of(chars, "trim"));
  TRY(context.heap.spend(text.string->size() / 64 * (set.size() / 16 + 1)));
  return context.heap.string(std::string(strip_right(strip_left(*text.string, set), set)));
}

Result<Value> to_text(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  return text_of(context, input);
}
Result<Value> same(Context&, const Value& input, const Args& args) {
  TRY(args.expect_none());
  return input;
}

// Where str.replace puts things: before every character, and at the end, when `from` is empty.
std::vector<size_t> places_of(std::string_view text, std::string_view from, int64_t most) {
  std::vector<size_t> places;
  for (size_t pos = 0; most < 0 || static_cast<int64_t>(places.size()) < most;) {
    const size_t at = find_bytes(text, from, pos);
    if (at == std::string_view::npos) break;
    places.push_back(at);
    if (at == text.size()) break;
    pos = at + (from.empty() ? decode_utf8(text, at).length : from.size());
  }
  return places;
}

Result<Value> replace(Context& context, const Value& input, const Args& args) {
  const auto [old_text, new_text, count] = TRY(args.bind({"old", "new", "count"}));
  const Value value = TRY(text_of(context, input));
  const std::string_view text = *value.string;
  const std::string& from = *TRY(string_of(old_text, "replace"));
  const std::string& to = *TRY(string_of(new_text, "replace"));
  const int64_t most = given(count) ? TRY(integer_of(count, "replace")) : -1;
  TRY(context.heap.claim(text.size()));
  const std::vector<size_t> places = places_of(text, from, most);
  TRY(context.heap.claim(places.size() * sizeof(size_t)));
  size_t added = 0;
  if (__builtin_mul_overflow(places.size(), to.size(), &added)) added = SIZE_MAX;
  TRY(context.heap.claim(added));
  std::string out;
  size_t pos = 0;
  for (const size_t at : places) {
    out.append(text.substr(pos, at - pos)).append(to);
    pos = at + from.size();
  }
  out.append(text.substr(pos));
  return context.heap.string(std::move(out));
}

Result<Value> indent(Context& context, const Value& input, const Args& args) {
  const auto [width, first, blank] = TRY(args.bind({"width", "first", "blank"}));
  const Value text = TRY(text_of(context, input));
  std::string prefix;
  if (width.is_string()) {
    prefix = *width.string;
  } else {
    const int64_t spaces = width.is_undefined() ? 4 : TRY(integer_of(width, "indent"));
    TRY(context.heap.claim(static_cast<size_t>(std::max<int64_t>(spaces, 0))));
    prefix.assign(static_cast<size_t>(std::max<int64_t>(spaces, 0)), ' ');
  }
  const std::string ended = *text.string + "\n";
  const std::vector<std::string_view> lines = split_lines(ended);
  TRY(context.heap.claim(lines.size() * (sizeof(std::string_view) + 1)));
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i) out += '\n';
    const bool indents = i == 0 ? truthy(first) : truthy(blank) || !lines[i].empty();
    if (indents) {
      TRY(context.heap.claim(prefix.size()));
      out += prefix;
    }
    out += lines[i];
  }
  return context.heap.string(std::move(out));
}

Result<Value> escape(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  const Value text = TRY(text_of(context, input));
  TRY(context.heap.claim(text.string->size() * 5));
  std::string out;
  for (const char c : *text.string) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return context.heap.string(std::move(out));
}

Result<Value> wordcount(Context& context, const Value& input, const Args& args) {
  TRY(args.expect_none());
  const Value text = TRY(text_of(context, input));
  int64_t count = 0;
  bool inside = false;
  for (size_t pos = 0; pos < text.string->size();) {
    const Decoded d = decode_utf8(*text.string, pos);
    const bool word = is_letter(d.code_point) || is_number(d.code_point) || d.code_point == '_';
    count += word && !inside;
    inside = word;
    pos += d.length;
  }
  return Value::of(count);
}

// transformers replaces Jinja's tojson: characters stay themselves, and the arguments are those of json.dumps.
Result<Value> tojson(Context& context, const Value& input, const Args& args) {
  const auto [ascii, indent_by, separators, sorted] =
      TRY(args.bind({"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style{.ensure_ascii = truthy(ascii), .sort_keys = truthy(sorted)};
  if (given(indent_by)) {
    const int64_t width = TRY(integer_of(indent_by, "tojson"));
    style.indent = static_cast<int>(std::clamp<int64_t>(width, 0, 1000));
    style.item_separator.assign(1, ',');  // GCC 12 warns of = "," (its bug 105329)
  }
  if (given(separators)) {
    if (!separators.is_sequence() || separators.list->size() != 2) {
      return fail(ErrorCode::kInvalidFile, "The separators of tojson must be two strings.");
    }
    style.item_separator = *TRY(string_of((*separators.list)[0], "tojson"));
    style.key_separator = *TRY(string_of((*separators.list)[1], "tojson"));
    if (style.item_separator.size() + style.key_separator.size() > 64) {
      return fail(ErrorCode::kInvalidFile, "The separators of tojson have more than 64 bytes.");
    }
  }
  return context.heap.string(TRY(to_json(context.heap, input, style)));
}

std::string number_text(const Value& input) {
  std::string text(strip_right(strip_left(*input.string)));
  std::erase(text, '_');
  return text;
}

std::optional<double> read_float(const Value& input) {
  if (input.is_number()) return input.as_double();
  if (!input.is_string() || input.string->size() > 1000) return std::nullopt;
  const std::string text = number_text(input);
  if (text.find_first_of("xXpP") != std::string::npos)
    return std::nullopt;  // strtod reads hexadecimal, Python does not
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0' ? std::nullopt : std::optional(value);
}

Result<Value> to_int(Context&, const Value& input, const Args& args) {
  const auto [fallback, base] = TRY(args.bind({"default", "base"}));
  const Value otherwise = fallback.is_undefined() ? Value::of(int64_t{0}) : fallback;
  if (input.is_integral()) return Value::of(input.as_int());
  if (input.is_string()) {
    const int64_t radix = base.is_undefined() ? 10 : TRY(integer_of(base, "int"));
    if (radix < 2 || radix > 36)
      return fail(ErrorCode::kInvalidFile, "The base of int is {}, expected 2 to 36.", radix);
    std::string text = number_text(input);
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.erase(0, 1);
    const std::string prefix = radix == 16 ? "0x" : radix == 8 ? "0o" : radix == 2 ? "0b" : "";
    if (!prefix.empty() && lower(text.substr(0, 2)) == prefix) text.erase(0, 2);
    if (negative) text.insert(text.begin(), '-');
    int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value, static_cast<int>(radix));
    if (read.ec == std::errc() && read.ptr == text.data() + text.size()) return Value::of(value);
  }
  const auto number = read_float(input);
  if (!number || !(std::abs(*number) < 9.2e18)) return otherwise;
  return Value::of(static_cast<int64_t>(*number));
}

Result<Value> to_float(Context&, const Value& input, const Args& args) {
  const auto [fallback] = TRY(args.bind({"default"}));
  const auto number = read_float(input);
  if (number) return Value::of(*number);
  return fallback.is_undefined() ? Value::of(0.0) : fallback;
}

// Python rounds halves to the even neighbour of the exact binary value, which is what printing with digits does.
Result<Value> round(Context&, const Value& input, const Args& args) {
  const auto [precision, method] = TRY(args.bind({"precision", "method"}));
  if (!input.is_number()) return fail(ErrorCode::kInvalidFile, "round needs a number, not a {}.", kind_name(input));
  const int64_t digits = precision.is_undefined() ? 0 : TRY(integer_of(precision, "round"));
  if (digits < -300 || digits > 300)
    return fail(ErrorCode::kInvalidFile, "round takes at most 300 digits, not {}.", digits);
  const std::string how = method.is_undefined() ? "common" : *TRY(string_of(method, "round"));
  const double value = input.as_double(), scale = std::pow(10.0, static_cast<double>(digits));
  if (how == "ceil") return Value::of(std::ceil(value * scale) / scale);
  if (how == "floor") return Value::of(std::floor(value * scale) / scale);
  if (how != "common") {
    return fail(ErrorCode::kInvalidFile, "round has no method \"{}\"; it knows common, ceil and floor.",
                how.substr(0, 64));
  }
  if (input.is_integral() && digits >= 0) return input;
  if (digits < 0 || !std::isfinite(value)) return Value::of(std::nearbyint(value * scale) / scale);
  return Value::of(std::strtod(fmt::format("{:.{}f}", value, static_cast<int>(digits)).c_str(), nullptr));
}

Result<Value> absolute(Context&, const Value& input, const Args& args) {
  TRY(args.expect_none());
  if (!input.is_number()) return fail(ErrorCode::kInvalidFile, "abs needs a number, not a {}.", kind_name(input));
  if (input.is(Kind::kFloat)) return Value::of(std::abs(input.number));
  if (input.as_int() == INT64_MIN) return fail(ErrorCode::kInvalidFile, "The result of abs does not fit into 64 bits.");
  return Value::of(std::abs(input.as_int()));
}

Result<Value> default_value(Context& context, const Value& input, const Args& args) {
  const auto [fallback, boolean] = TRY(args.bind({"default_value", "boolean"}));
  const bool missing = input.is_undefined() || (truthy(boolean) && !truthy(input));
  if (!missing) return input;
  return fallback.is_undefined() ? context.heap.string("") : fallback;
}

}  // namespace

const std::initializer_list<NamedFilter> kTextFilters = {
    {"trim", trim},
    {"string", to_text},
    {"safe", same},
    {"upper", map_text<upper>},
    {"lower", map_text<lower>},
    {"title", map_text<word_title>},
    {"capitalize", map_text<capitalize>},
    {"replace", replace},
    {"indent", indent},
    {"escape", escape},
    {"e", escape},
    {"wordcount", wordcount},
    {"tojson", tojson},
    {"int", to_int},
    {"float", to_float},
    {"round", round},
    {"abs", absolute},
    {"default", default_value},
    {"d", default_value},
};

}  // namespace tern::text::jinja
