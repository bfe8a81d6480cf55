#include "text/special_tokens.h"

#include <algorithm>

#include "base/result.h"

namespace tern::text {

void SpecialTokens::add(const std::string& name, int32_t id, bool always) {
  ASSERT(!name.empty() && name.size() <= kMaxLength);
  by_name_.insert_or_assign(name, Entry{id, always});
  std::vector<uint16_t>& lengths = lengths_[static_cast<uint8_t>(name[0])];
  const auto at = std::lower_bound(lengths.begin(), lengths.end(), name.size(), std::greater<size_t>());
  if (at == lengths.end() || *at != name.size()) lengths.insert(at, static_cast<uint16_t>(name.size()));
}

std::optional<SpecialTokens::Match> SpecialTokens::find(std::string_view text, size_t from, bool control) const {
  if (by_name_.empty()) return std::nullopt;
  for (size_t pos = from; pos < text.size(); ++pos) {
    for (const uint16_t length : lengths_[static_cast<uint8_t>(text[pos])]) {
      if (length > text.size() - pos) continue;
      const auto it = by_name_.find(text.substr(pos, length));
      if (it != by_name_.end() && (control || it->second.always)) return Match{pos, length, it->second.id};
    }
  }
  return std::nullopt;
}

}  // namespace tern::text
