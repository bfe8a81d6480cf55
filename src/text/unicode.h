// What the text room knows of Unicode: UTF-8, the general categories that pre-tokenizers ask for, simple case
// mappings and the normal form NFC. The tables are generated (tools/gen_unicode_tables.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern::text {

constexpr uint32_t kReplacement = 0xFFFD;

/// One step of decoding: the code point and how many bytes it took (at least 1 on non-empty input).
struct Decoded {
  uint32_t code_point = kReplacement;
  uint32_t length = 1;
  bool valid = false;       // false: these `length` bytes are a maximal invalid subpart (Unicode 16, section 3.9)
  bool incomplete = false;  // not valid, but more bytes could still complete it: it ends with the text
};

/// Decodes the sequence at text[pos]; pos < text.size(). Overlong forms, surrogates and values above 0x10FFFF are
/// invalid.
Decoded decode_utf8(std::string_view text, size_t pos);

/// Appends `code_point` as UTF-8; a surrogate or a value above 0x10FFFF becomes U+FFFD.
void append_utf8(std::string& out, uint32_t code_point);

bool is_valid_utf8(std::string_view text);

/// Code points of `text`; an invalid subpart counts as one.
size_t count_code_points(std::string_view text);

/// The byte offset of each code point, plus text.size() at the end.
std::vector<uint32_t> code_point_offsets(std::string_view text);

bool is_letter(uint32_t cp);     // \p{L}
bool is_number(uint32_t cp);     // \p{N}
bool is_space(uint32_t cp);      // \s: the property White_Space
bool is_printable(uint32_t cp);  // as Python's str.isprintable()

/// Simple case mappings: one code point to one (so not German sharp s to SS).
uint32_t to_lower(uint32_t cp);
uint32_t to_upper(uint32_t cp);

/// Normalization Form C (Unicode Standard Annex 15). Invalid bytes are kept as they are.
std::string to_nfc(std::string_view text);

}  // namespace tern::text
