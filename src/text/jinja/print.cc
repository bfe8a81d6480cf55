// How values are written: Python's str() and repr(), and json.dumps().
#include <algorithm>
#include <cmath>

#include "text/jinja/value.h"
#include "text/unicode.h"

namespace tern::text::jinja {
namespace {

constexpr int kMaxDepth = 200;

// repr(float): the shortest digits that read back the same, always with a point or an exponent.
std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void append_string_repr(std::string& out, std::string_view text) {
  const bool doubles = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
  const char quote = doubles ? '"' : '\'';
  out += quote;
  for (size_t pos = 0; pos < text.size();) {
    const Decoded d = decode_utf8(text, pos);
    const uint32_t cp = d.code_point;
    if (cp == static_cast<uint32_t>(quote) || cp == '\\') {
      out += '\\';
      out += static_cast<char>(cp);
    } else if (cp == '\n' || cp == '\r' || cp == '\t') {
      out += cp == '\n' ? "\\n" : cp == '\r' ? "\\r" : "\\t";
    } else if (is_printable(cp)) {
      out.append(text, pos, d.length);
    } else {
      out += cp < 0x100     ? fmt::format("\\x{:02x}", cp)
             : cp < 0x10000 ? fmt::format("\\u{:04x}", cp)
                            : fmt::format("\\U{:08x}", cp);
    }
    pos += d.length;
  }
  out += quote;
}

Result<void> append_items(Heap& heap, std::string& out, const List& items, int depth) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) out += ", ";
    TRY(append_repr(heap, out, items[i], depth + 1));
  }
  return {};
}

Result<void> append_dict(Heap& heap, std::string& out, const Dict& dict, int depth) {
  out += '{';
  for (size_t i = 0; i < dict.items.size(); ++i) {
    if (i) out += ", ";
    TRY(append_repr(heap, out, dict.items[i].first, depth + 1));
    out += ": ";
    TRY(append_repr(heap, out, dict.items[i].second, depth + 1));
  }
  out += '}';
  return {};
}

class JsonWriter {
 public:
  JsonWriter(Heap& heap, const JsonStyle& style) : heap_(heap), style_(style) {}
  std::string out;

  Result<void> write(const Value& value, int depth) {
    if (depth > kMaxDepth)
      return fail(ErrorCode::kInvalidFile, "A value is nested more than {} levels deep.", kMaxDepth);
    TRY(heap_.spend(1));
    TRY(heap_.claim(8 + (style_.indent > 0 ? static_cast<size_t>(style_.indent * depth) : 0)));
    switch (value.kind) {
      case Kind::kNone:
        out += "null";
        return {};
      case Kind::kBool:
        out += value.boolean ? "true" : "false";
        return {};
      case Kind::kInt:
        out += fmt::format("{}", value.integer);
        return {};
      case Kind::kFloat:
        number(value.number);
        return {};
      case Kind::kString:
        return string(*value.string);
      case Kind::kList:
      case Kind::kTuple:
        return list(*value.list, depth);
      case Kind::kDict:
        return dict(*value.dict, depth);
      case Kind::kUndefined:
        return undefined_error(value);
      default:
        return fail(ErrorCode::kInvalidFile, "A {} cannot be written as JSON.", kind_name(value));
    }
  }

 private:
  void number(double value) {
    if (std::isfinite(value)) {
      out += float_repr(value);
    } else {
      out += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
    }
  }

  void escape(uint32_t cp) {
    switch (cp) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        out += fmt::format("\\u{:04x}", cp);
    }
  }

  Result<void> string(std::string_view text) {
    TRY(heap_.claim(text.size()));
    out += '"';
    for (size_t pos = 0; pos < text.size();) {
      const Decoded d = decode_utf8(text, pos);
      const uint32_t cp = d.code_point;
      if (cp < 0x20 || cp == '"' || cp == '\\') {
        escape(cp);
      } else if (style_.ensure_ascii && cp >= 0x10000) {
        escape(0xD800 + ((cp - 0x10000) >> 10));
        escape(0xDC00 + ((cp - 0x10000) & 0x3FF));
      } else if (style_.ensure_ascii && cp >= 0x80) {
        escape(cp);
      } else {
        out.append(text, pos, d.length);
      }
      pos += d.length;
    }
    out += '"';
    return {};
  }

  void new_line(int depth) {
    if (style_.indent < 0) return;
    out += '\n';
    out.append(static_cast<size_t>(style_.indent * depth), ' ');
  }

  void separate(size_t i, int depth) {
    if (i) out += style_.item_separator;
    new_line(depth + 1);
  }

  Result<void> list(const List& items, int depth) {
    out += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      separate(i, depth);
      TRY(write(items[i], depth + 1));
    }
    if (!items.empty()) new_line(depth);
    out += ']';
    return {};
  }

  Result<void> key(const Value& value, int depth) {
    if (value.is_string()) return string(*value.string);
    out += '"';
    TRY(write(value, depth));
    out += '"';
    return {};
  }

  Result<void> dict(const Dict& dict, int depth) {
    auto items = dict.items;
    if (style_.sort_keys) {
      for (const auto& item : items) {
        if (!item.first.is_string()) return fail(ErrorCode::kInvalidFile, "Only keys that are strings can be sorted.");
      }
      std::ranges::sort(items, [](const auto& a, const auto& b) { return *a.first.string < *b.first.string; });
    }
    out += '{';
    for (size_t i = 0; i < items.size(); ++i) {
      separate(i, depth);
      TRY(key(items[i].first, depth + 1));
      out += style_.key_separator;
      TRY(write(items[i].second, depth + 1));
    }
    if (!items.empty()) new_line(depth);
    out += '}';
    return {};
  }

  Heap& heap_;
  const JsonStyle& style_;
};

}  // namespace

Result<void> append_repr(Heap& heap, std::string& out, const Value& value, int depth) {
  if (depth > kMaxDepth) return fail(ErrorCode::kInvalidFile, "A value is nested more than {} levels deep.", kMaxDepth);
  TRY(heap.spend(1));
  TRY(heap.claim(value.is_string() ? value.string->size() + 8 : 8));
  switch (value.kind) {
    case Kind::kUndefined:
      out += "Undefined";
      break;
    case Kind::kNone:
      out += "None";
      break;
    case Kind::kBool:
      out += value.boolean ? "True" : "False";
      break;
    case Kind::kInt:
      out += fmt::format("{}", value.integer);
      break;
    case Kind::kFloat:
      out += float_repr(value.number);
      break;
    case Kind::kString:
      append_string_repr(out, *value.string);
      break;
    case Kind::kList:
      out += '[';
      TRY(append_items(heap, out, *value.list, depth));
      out += ']';
      break;
    case Kind::kTuple:
      out += '(';
      TRY(append_items(heap, out, *value.list, depth));
      out += value.list->size() == 1 ? ",)" : ")";
      break;
    case Kind::kDict:
      return append_dict(heap, out, *value.dict, depth);
    case Kind::kNamespace:
      out += "<Namespace ";
      TRY(append_dict(heap, out, *value.dict, depth));
      out += '>';
      break;
    default:
      out += fmt::format("<{}>", kind_name(value));
  }
  return {};
}

Result<void> append_str(Heap& heap, std::string& out, const Value& value) {
  if (value.is_undefined()) return {};
  if (!value.is_string()) return append_repr(heap, out, value);
  TRY(heap.claim(value.string->size()));
  out += *value.string;
  return {};
}

Result<std::string> to_str(Heap& heap, const Value& value) {
  std::string out;
  TRY(append_str(heap, out, value));
  return out;
}

Result<std::string> to_json(Heap& heap, const Value& value, const JsonStyle& style) {
  JsonWriter writer(heap, style);
  TRY(writer.write(value, 0));
  return std::move(writer.out);
}

}  // namespace tern::text::jinja
