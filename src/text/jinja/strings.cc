#include "text/jinja/strings.h"

#include <string.h>  // memmem

#include <utility>

#include "text/unicode.h"

namespace tern::text::jinja {
namespace {

// The start of the last code point of text[0, end).
size_t last_start(std::string_view text, size_t end) {
  size_t start = end - 1;
  while (start > 0 && end - start < 4 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) --start;
  return start;
}

template <class Keep>
std::string_view strip_left_if(std::string_view text, Keep strips) {
  size_t pos = 0;
  while (pos < text.size()) {
    const Decoded d = decode_utf8(text, pos);
    if (!strips(text.substr(pos, d.length), d.code_point)) break;
    pos += d.length;
  }
  return text.substr(pos);
}

template <class Keep>
std::string_view strip_right_if(std::string_view text, Keep strips) {
  size_t end = text.size();
  while (end > 0) {
    const size_t start = last_start(text, end);
    if (!strips(text.substr(start, end - start), decode_utf8(text, start).code_point)) break;
    end = start;
  }
  return text.substr(0, end);
}

template <class Map>
std::string mapped(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const Decoded d = decode_utf8(text, pos);
    if (d.valid) {
      append_utf8(out, map(d.code_point));
    } else {
      out.append(text, pos, d.length);
    }
    pos += d.length;
  }
  return out;
}

}  // namespace

bool is_python_space(uint32_t cp) {
  return is_space(cp) || (cp >= 0x1C && cp <= 0x1F);
}

std::string_view strip_left(std::string_view text) {
  return strip_left_if(text, [](std::string_view, uint32_t cp) { return is_python_space(cp); });
}
std::string_view strip_right(std::string_view text) {
  return strip_right_if(text, [](std::string_view, uint32_t cp) { return is_python_space(cp); });
}
std::string_view strip_left(std::string_view text, std::string_view chars) {
  return strip_left_if(text, [&](std::string_view c, uint32_t) { return chars.find(c) != std::string_view::npos; });
}
std::string_view strip_right(std::string_view text, std::string_view chars) {
  return strip_right_if(text, [&](std::string_view c, uint32_t) { return chars.find(c) != std::string_view::npos; });
}

std::string upper(std::string_view text) {
  return mapped(text, to_upper);
}
std::string lower(std::string_view text) {
  return mapped(text, to_lower);
}

std::string title(std::string_view text) {
  bool inside = false;
  return mapped(text, [&](uint32_t cp) {
    const uint32_t out = inside ? to_lower(cp) : to_upper(cp);
    inside = is_letter(cp);
    return out;
  });
}

std::string word_title(std::string_view text) {
  bool inside = false;
  return mapped(text, [&](uint32_t cp) {
    const uint32_t out = inside ? to_lower(cp) : to_upper(cp);
    inside = !(is_python_space(cp) || cp == '-' || cp == '(' || cp == '{' || cp == '[' || cp == '<');
    return out;
  });
}

std::string capitalize(std::string_view text) {
  bool inside = false;
  return mapped(text, [&](uint32_t cp) { return std::exchange(inside, true) ? to_lower(cp) : to_upper(cp); });
}

size_t find_bytes(std::string_view text, std::string_view part, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (part.empty()) return from;
  // memmem and not string_view::find: the two-way algorithm stays linear where find becomes quadratic.
  const void* at = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return at ? static_cast<size_t>(static_cast<const char*>(at) - text.data()) : std::string_view::npos;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t limit) {
  std::vector<std::string_view> parts;
  size_t pos = 0;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t at = find_bytes(text, separator, pos);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(pos, at - pos));
    pos = at + separator.size();
  }
  parts.push_back(text.substr(pos));
  return parts;
}

std::vector<std::string_view> split_spaces(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  text = strip_left(text);
  while (!text.empty()) {
    if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
      parts.push_back(text);  // like Python, the rest keeps its trailing spaces
      break;
    }
    const std::string_view rest =
        strip_left_if(text, [](std::string_view, uint32_t cp) { return !is_python_space(cp); });
    parts.push_back(text.substr(0, text.size() - rest.size()));
    text = strip_left(rest);
  }
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  for (size_t pos = 0; pos < text.size();) {
    const Decoded d = decode_utf8(text, pos);
    const uint32_t cp = d.code_point;
    const bool ends =
        (cp >= 0x0A && cp <= 0x0D) || (cp >= 0x1C && cp <= 0x1E) || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
    const size_t next = pos + d.length;
    if (ends) {
      lines.push_back(text.substr(start, pos - start));
      start = cp == '\r' && next < text.size() && text[next] == '\n' ? next + 1 : next;
      pos = start;
    } else {
      pos = next;
    }
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

}  // namespace tern::text::jinja
