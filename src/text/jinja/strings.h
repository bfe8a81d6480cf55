// Python's str functions on UTF-8, as far as templates use them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tern::text::jinja {

/// str.isspace() of one character: White_Space and the four ASCII separators.
bool is_python_space(uint32_t cp);

std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
/// The same with the characters of `chars` in place of spaces.
std::string_view strip_left(std::string_view text, std::string_view chars);
std::string_view strip_right(std::string_view text, std::string_view chars);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string title(std::string_view text);       // str.title(): a capital after every character that is no letter
std::string word_title(std::string_view text);  // the filter `title`: a capital after spaces, - ( { [ <
std::string capitalize(std::string_view text);

/// Offset of the first `part` at or after `from`, npos if there is none. Linear even on hostile text.
size_t find_bytes(std::string_view text, std::string_view part, size_t from);

/// str.split(separator, limit); without separator (npos-sized view data() == nullptr) at runs of spaces. limit < 0:
/// all.
std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t limit);
std::vector<std::string_view> split_spaces(std::string_view text, int64_t limit);
std::vector<std::string_view> split_lines(std::string_view text);

}  // namespace tern::text::jinja
