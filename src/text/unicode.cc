#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <span>
#include <utility>

namespace tern::text {
namespace {

struct Range {
  uint32_t first, last;
};
struct CombiningRange {
  uint32_t first, last, combining_class;
};
struct Decomposition {
  uint32_t code_point, first, second, composes;
};
struct CasePair {
  uint32_t from, to;
};

#include "text/unicode_tables.inc"

template <size_t N>
bool in_ranges(const Range (&table)[N], uint32_t cp) {
  const Range* it = std::upper_bound(std::begin(table), std::end(table), cp,
                                     [](uint32_t value, const Range& r) { return value < r.first; });
  return it != std::begin(table) && cp <= std::prev(it)->last;
}

template <size_t N>
uint32_t mapped(const CasePair (&table)[N], uint32_t cp) {
  const CasePair* it = std::lower_bound(std::begin(table), std::end(table), cp,
                                        [](const CasePair& p, uint32_t v) { return p.from < v; });
  return it != std::end(table) && it->from == cp ? it->to : cp;
}

bool is_ascii_letter(uint32_t cp) {
  return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');
}

}  // namespace

Decoded decode_utf8(std::string_view text, size_t pos) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(pos);
  if (lead < 0x80) return {lead, 1, true, false};
  if (lead < 0xC2 || lead > 0xF4) return {};
  const uint32_t wanted = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and values above 0x10FFFF.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  uint32_t cp = lead & (0xFFu >> (wanted + 1));
  for (uint32_t i = 1; i < wanted; ++i) {
    if (pos + i >= text.size()) return {kReplacement, i, false, true};
    const uint8_t next = byte(pos + i);
    if (next < (i == 1 ? low : 0x80) || next > (i == 1 ? high : 0xBF)) return {kReplacement, i, false, false};
    cp = (cp << 6) | (next & 0x3F);
  }
  return {cp, wanted, true, false};
}

void append_utf8(std::string& out, uint32_t cp) {
  if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) cp = kReplacement;
  if (cp < 0x80) {
    out += static_cast<char>(cp);
  } else if (cp < 0x800) {
    out += static_cast<char>(0xC0 | (cp >> 6));
    out += static_cast<char>(0x80 | (cp & 0x3F));
  } else if (cp < 0x10000) {
    out += static_cast<char>(0xE0 | (cp >> 12));
    out += static_cast<char>(0x80 | ((cp >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (cp & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (cp >> 18));
    out += static_cast<char>(0x80 | ((cp >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((cp >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (cp & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    const Decoded d = decode_utf8(text, pos);
    if (!d.valid) return false;
    pos += d.length;
  }
  return true;
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (size_t pos = 0; pos < text.size(); ++count) pos += decode_utf8(text, pos).length;
  return count;
}

std::vector<uint32_t> code_point_offsets(std::string_view text) {
  std::vector<uint32_t> offsets;
  for (size_t pos = 0; pos < text.size(); pos += decode_utf8(text, pos).length) {
    offsets.push_back(static_cast<uint32_t>(pos));
  }
  offsets.push_back(static_cast<uint32_t>(text.size()));
  return offsets;
}

bool is_letter(uint32_t cp) {
  return cp < 0x80 ? is_ascii_letter(cp) : in_ranges(kLetters, cp);
}

bool is_number(uint32_t cp) {
  return cp < 0x80 ? cp >= '0' && cp <= '9' : in_ranges(kNumbers, cp);
}

bool is_space(uint32_t cp) {
  // White_Space of PropList.txt; the property has not changed since Unicode 6.3.
  return (cp >= 0x09 && cp <= 0x0D) || cp == 0x20 || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
         (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

bool is_printable(uint32_t cp) {
  return !in_ranges(kUnprintable, cp);
}

uint32_t to_lower(uint32_t cp) {
  if (cp < 0x80) return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
  return mapped(kLower, cp);
}

uint32_t to_upper(uint32_t cp) {
  if (cp < 0x80) return cp >= 'a' && cp <= 'z' ? cp - 32 : cp;
  return mapped(kUpper, cp);
}

namespace {

// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
constexpr uint32_t kSBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr uint32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

// A code point of the text being normalised, or a raw invalid byte, which is a starter that nothing combines with.
struct Unit {
  uint32_t code_point;
  uint8_t combining_class;
  bool raw;
};

uint8_t combining_class(uint32_t cp) {
  const CombiningRange* it = std::upper_bound(std::begin(kCombining), std::end(kCombining), cp,
                                              [](uint32_t v, const CombiningRange& r) { return v < r.first; });
  if (it == std::begin(kCombining) || cp > std::prev(it)->last) return 0;
  return static_cast<uint8_t>(std::prev(it)->combining_class);
}

void decompose(uint32_t cp, std::vector<Unit>& out) {
  if (cp >= kSBase && cp < kSBase + kSCount) {
    const uint32_t s = cp - kSBase;
    out.push_back({kLBase + s / (kVCount * kTCount), 0, false});
    out.push_back({kVBase + s % (kVCount * kTCount) / kTCount, 0, false});
    if (s % kTCount) out.push_back({kTBase + s % kTCount, 0, false});
    return;
  }
  const Decomposition* it = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), cp,
                                             [](const Decomposition& d, uint32_t v) { return d.code_point < v; });
  if (it == std::end(kDecompositions) || it->code_point != cp) {
    out.push_back({cp, combining_class(cp), false});
    return;
  }
  decompose(it->first, out);  // the table is acyclic and at most 4 levels deep
  if (it->second) decompose(it->second, out);
}

// Stable by combining class, in linear time however many marks a hostile text piles up: a counting sort.
void order_marks(std::span<Unit> marks) {
  const auto by_class = [](const Unit& a, const Unit& b) { return a.combining_class < b.combining_class; };
  if (std::is_sorted(marks.begin(), marks.end(), by_class)) return;
  std::array<uint32_t, 257> starts{};
  for (const Unit& mark : marks) ++starts[mark.combining_class + 1u];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  const std::vector<Unit> unordered(marks.begin(), marks.end());
  for (const Unit& mark : unordered) marks[starts[mark.combining_class]++] = mark;
}

// The composition of a pair, or 0.
uint32_t compose(uint32_t a, uint32_t b) {
  if (a >= kLBase && a < kLBase + kLCount && b >= kVBase && b < kVBase + kVCount) {
    return kSBase + ((a - kLBase) * kVCount + (b - kVBase)) * kTCount;
  }
  if (a >= kSBase && a < kSBase + kSCount && (a - kSBase) % kTCount == 0 && b > kTBase && b < kTBase + kTCount) {
    return a + (b - kTBase);
  }
  static const std::vector<Decomposition> by_pair = [] {
    std::vector<Decomposition> rows;
    std::copy_if(std::begin(kDecompositions), std::end(kDecompositions), std::back_inserter(rows),
                 [](const Decomposition& d) { return d.composes; });
    std::sort(rows.begin(), rows.end(), [](const Decomposition& x, const Decomposition& y) {
      return std::pair(x.first, x.second) < std::pair(y.first, y.second);
    });
    return rows;
  }();
  const auto it = std::lower_bound(by_pair.begin(), by_pair.end(), std::pair(a, b),
                                   [](const Decomposition& d, const std::pair<uint32_t, uint32_t>& key) {
                                     return std::pair(d.first, d.second) < key;
                                   });
  return it != by_pair.end() && it->first == a && it->second == b ? it->code_point : 0;
}

// The canonical composition algorithm (section 3.11, D117) on canonically ordered units, in place.
void compose_all(std::vector<Unit>& units) {
  size_t written = 0, starter = SIZE_MAX;
  for (const Unit unit : units) {
    const bool adjacent = starter != SIZE_MAX && written == starter + 1;
    const bool blocked = starter == SIZE_MAX || unit.raw || units[starter].raw ||
                         (!adjacent && units[written - 1].combining_class >= unit.combining_class);
    const uint32_t whole = blocked ? 0 : compose(units[starter].code_point, unit.code_point);
    if (whole) {
      units[starter].code_point = whole;
      continue;
    }
    if (unit.combining_class == 0) starter = written;
    units[written++] = unit;
  }
  units.resize(written);
}

}  // namespace

std::string to_nfc(std::string_view text) {
  // Every code point below U+0300 is its own NFC, and in UTF-8 those are exactly the bytes below 0xCC.
  if (std::none_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0xCC; })) {
    return std::string(text);
  }
  std::vector<Unit> units;
  units.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const Decoded d = decode_utf8(text, pos);
    if (d.valid) {
      decompose(d.code_point, units);
    } else {
      for (uint32_t i = 0; i < d.length; ++i) units.push_back({static_cast<uint8_t>(text[pos + i]), 0, true});
    }
    pos += d.length;
  }
  for (auto it = units.begin(); it != units.end();) {
    const auto end = std::find_if(it, units.end(), [](const Unit& u) { return u.combining_class == 0; });
    order_marks({it, end});
    it = end == units.end() ? end : end + 1;
  }
  compose_all(units);
  std::string out;
  out.reserve(text.size());
  for (const Unit& unit : units) {
    if (unit.raw) {
      out += static_cast<char>(unit.code_point);
    } else {
      append_utf8(out, unit.code_point);
    }
  }
  return out;
}

}  // namespace tern::text
