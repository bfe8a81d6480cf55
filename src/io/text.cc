#include "io/text.h"

#include <fmt/format.h>

namespace tern::io {

std::string grouped(uint64_t value) {
  std::string digits = std::to_string(value);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string printable(std::string_view text) {
  constexpr size_t kMax = 100;
  std::string out;
  for (const char c : text.substr(0, kMax)) {
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return text.size() > kMax ? out + "..." : out;
}

}  // namespace tern::io
