// How values from untrusted files appear in messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tern::io {

/// 901120 -> "901,120".
std::string grouped(uint64_t value);

/// Names come from files: what is no visible character of valid UTF-8 becomes \xNN (a terminal must not obey a file),
/// and more than `max` bytes are cut with "...".
std::string printable(std::string_view text, size_t max = 100);

/// {4096, 128} -> "[4096, 128]".
template <class Range>
std::string shape_text(const Range& shape) {
  std::string out = "[";
  for (const auto& dim : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(dim);
  return out + "]";
}

}  // namespace tern::io
