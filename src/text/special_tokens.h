// Finds special tokens in text: at each place the longest one that matches (what Hugging Face's added tokens do).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tern::text {

class SpecialTokens {
 public:
  /// A longer token would make a hostile vocabulary slow to search; real ones have at most some dozens of bytes.
  static constexpr size_t kMaxLength = 256;

  struct Match {
    size_t offset = 0, length = 0;
    int32_t id = -1;
  };

  /// `always`: found by every search (user-defined tokens), the others only when control tokens are wanted.
  /// Precondition: 0 < name.size() <= kMaxLength.
  void add(const std::string& name, int32_t id, bool always);

  /// The first match at or after `from`, the longest of those that begin there. Time: text times the number of distinct
  /// lengths.
  /// `barriers`: ascending offsets that no control token may cross (Guard).
  std::optional<Match> find(std::string_view text, size_t from, bool control,
                            std::span<const size_t> barriers = {}) const;

  /// Offsets at which control tokens of `text` begin, whether whole or (but for those
  /// that begin with a letter) cut off by its end.
  std::vector<size_t> control_starts(std::string_view text) const;

 private:
  struct Entry {
    int32_t id = -1;
    bool always = false;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> by_name_;
  std::vector<uint16_t> lengths_[256];  // by first byte, longest first
};

}  // namespace tern::text
