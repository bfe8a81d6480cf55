#include "text/special_tokens.h"

#include <algorithm>
#include <cctype>

#include "base/result.h"

namespace tern::text {

void SpecialTokens::add(const std::string& name, int32_t id, bool always) {
  ASSERT(!name.empty() && name.size() <= kMaxLength);
  by_name_.insert_or_assign(name, Entry{id, always});
  std::vector<uint16_t>& lengths = lengths_[static_cast<uint8_t>(name[0])];
  const auto at = std::lower_bound(lengths.begin(), lengths.end(), name.size(), std::greater<size_t>());
  if (at == lengths.end() || *at != name.size()) lengths.insert(at, static_cast<uint16_t>(name.size()));
}

std::optional<SpecialTokens::Match> SpecialTokens::find(std::string_view text, size_t from, bool control,
                                                        std::span<const size_t> barriers) const {
  if (by_name_.empty()) return std::nullopt;
  for (size_t pos = from; pos < text.size(); ++pos) {
    for (const uint16_t length : lengths_[static_cast<uint8_t>(text[pos])]) {
      if (length > text.size() - pos) continue;
      const auto it = by_name_.find(text.substr(pos, length));
      if (it == by_name_.end()) continue;
      const auto next = std::ranges::upper_bound(barriers, pos);
      const bool crosses = next != barriers.end() && *next <= pos + length;
      if (it->second.always || (control && !crosses)) return Match{pos, length, it->second.id};
    }
  }
  return std::nullopt;
}

std::vector<size_t> SpecialTokens::control_starts(std::string_view text) const {
  std::vector<size_t> starts;
  for (size_t pos = 0; pos < text.size(); ++pos) {
    const std::string_view rest = text.substr(pos);
    const std::vector<uint16_t>& lengths = lengths_[static_cast<uint8_t>(text[pos])];
    const bool whole = std::ranges::any_of(lengths, [&](uint16_t length) {
      const auto it = length <= rest.size() ? by_name_.find(rest.substr(0, length)) : by_name_.end();
      return it != by_name_.end() && !it->second.always;
    });
    // A token that begins with a letter is not looked for at the end: "role" must stay the word that templates compare.
    const bool letter = std::isalnum(static_cast<unsigned char>(text[pos])) != 0;
    const bool longer = !letter && !lengths.empty() && lengths.front() > rest.size();
    const bool cut_off = longer && std::ranges::any_of(by_name_, [&](const auto& entry) {
                           return !entry.second.always && entry.first.starts_with(rest);
                         });
    if (whole || cut_off) starts.push_back(pos);
  }
  return starts;
}

}  // namespace tern::text
