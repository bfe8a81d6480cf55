#include "text/pretokenizer.h"

#include <string>
#include <vector>

#include "text/unicode.h"

namespace tern::text {
namespace {

// The names are GGUF's (tokenizer.ggml.pre); models of Llama 3 were trained with BOS and tiktoken's whole-piece lookup.
constexpr PreTokenizerInfo kPreTokenizers[] = {
    {"llama-bpe", PreTokenizer::kLlama3, true, true}, {"llama3", PreTokenizer::kLlama3, true, true},
    {"llama-v3", PreTokenizer::kLlama3, true, true},  {"qwen2", PreTokenizer::kQwen2, false, false},
    {"gpt2", PreTokenizer::kGpt2, false, false},      {"gpt-2", PreTokenizer::kGpt2, false, false},
    {"default", PreTokenizer::kGpt2, false, false},   {"", PreTokenizer::kGpt2, false, false},
};

constexpr std::string_view kGpt2Regex = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

enum class Class : uint8_t { kOther, kLetter, kNumber, kSpace, kEnd };

struct Character {
  uint32_t code_point;
  uint32_t offset;
  Class klass;
};

Class classify(uint32_t cp) {
  if (is_letter(cp)) return Class::kLetter;
  if (is_number(cp)) return Class::kNumber;
  return is_space(cp) ? Class::kSpace : Class::kOther;
}

// All positions are indices into `chars`, which ends with a kEnd.
class Matcher {
 public:
  Matcher(PreTokenizer pre, std::string_view text) : pre_(pre) {
    chars_.reserve(text.size() + 1);
    for (size_t pos = 0; pos < text.size();) {
      const Decoded d = decode_utf8(text, pos);
      chars_.push_back({d.code_point, static_cast<uint32_t>(pos), classify(d.code_point)});
      pos += d.length;
    }
    chars_.push_back({0, static_cast<uint32_t>(text.size()), Class::kEnd});
  }

  size_t count() const { return chars_.size() - 1; }
  uint32_t offset(size_t i) const { return chars_[i].offset; }

  /// The end of the match at `i` < count(); the alternatives are tried in the order of the expression.
  size_t match(size_t i) const {
    const bool gpt2 = pre_ == PreTokenizer::kGpt2;
    if (const size_t end = contraction(i, !gpt2); end != i) return end;
    return gpt2 ? match_gpt2(i) : match_llama3(i, pre_ == PreTokenizer::kLlama3 ? 3 : 1);
  }

 private:
  Class klass(size_t i) const { return chars_[i].klass; }
  bool is_newline(size_t i) const { return chars_[i].code_point == '\r' || chars_[i].code_point == '\n'; }

  size_t run(size_t i, Class wanted) const {
    while (klass(i) == wanted) ++i;
    return i;
  }
  size_t newlines(size_t i) const {
    while (is_newline(i)) ++i;
    return i;
  }

  // 's|'t|'re|'ve|'m|'ll|'d. Case folding also equates s with U+017F, the long s.
  size_t contraction(size_t i, bool any_case) const {
    if (chars_[i].code_point != '\'') return i;
    const auto letter = [&](size_t at) -> uint32_t {
      if (at >= count()) return 0;
      const uint32_t cp = chars_[at].code_point;
      if (!any_case) return cp;
      return cp == 0x17F ? 's' : cp < 0x80 ? to_lower(cp) : 0;
    };
    const uint32_t a = letter(i + 1);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return i + 2;
    const uint32_t b = a ? letter(i + 2) : 0;
    const bool pair = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return pair ? i + 3 : i;
  }

  size_t match_gpt2(size_t i) const {
    const size_t start = chars_[i].code_point == ' ' ? i + 1 : i;
    const Class c = klass(start);
    if (c != Class::kSpace && c != Class::kEnd) return run(start, c);
    return spaces(i);
  }

  size_t match_llama3(size_t i, size_t max_digits) const {
    // [^\r\n\p{L}\p{N}]?\p{L}+
    if (klass(i) == Class::kLetter) return run(i, Class::kLetter);
    if (klass(i) != Class::kNumber && !is_newline(i) && klass(i + 1) == Class::kLetter)
      return run(i + 1, Class::kLetter);
    // \p{N}{1,3}
    if (klass(i) == Class::kNumber) {
      size_t end = i + 1;
      while (end < i + max_digits && klass(end) == Class::kNumber) ++end;
      return end;
    }
    //  ?[^\s\p{L}\p{N}]+[\r\n]*
    const size_t start = chars_[i].code_point == ' ' ? i + 1 : i;
    if (klass(start) == Class::kOther) return newlines(run(start, Class::kOther));
    // \s*[\r\n]+ : greedy, so up to the last newline of the run of spaces
    const size_t end = run(i, Class::kSpace);
    for (size_t last = end; last > i; --last) {
      if (is_newline(last - 1)) return last;
    }
    return spaces(i);
  }

  // \s+(?!\S)|\s+ : a run of spaces leaves its last one to what follows, unless it is the only one or the text ends.
  size_t spaces(size_t i) const {
    const size_t end = run(i, Class::kSpace);
    return end == count() || end == i + 1 ? end : end - 1;
  }

  PreTokenizer pre_;
  std::vector<Character> chars_;
};

}  // namespace

std::optional<PreTokenizerInfo> find_pre_tokenizer(std::string_view gguf_name) {
  for (const PreTokenizerInfo& info : kPreTokenizers) {
    if (info.name == gguf_name) return info;
  }
  return std::nullopt;
}

std::string_view pre_tokenizer_of_regex(std::string_view regex) {
  if (regex == kLlama3Regex) return "llama-bpe";
  if (regex == kQwen2Regex) return "qwen2";
  return regex == kGpt2Regex ? "gpt-2" : "";
}

std::string pre_tokenizer_names() {
  std::string names;
  for (const PreTokenizerInfo& info : kPreTokenizers) {
    if (info.name.empty()) continue;
    if (!names.empty()) names += ", ";
    names += info.name;
  }
  return names;
}

void pre_tokenize(PreTokenizer pre, std::string_view text, const std::function<void(std::string_view)>& piece) {
  const Matcher matcher(pre, text);
  for (size_t i = 0; i < matcher.count();) {
    const size_t end = matcher.match(i);
    piece(text.substr(matcher.offset(i), matcher.offset(end) - matcher.offset(i)));
    i = end;
  }
}

}  // namespace tern::text
