#include "text/jinja/lexer.h"

#include <algorithm>

#include "text/jinja/strings.h"
#include "text/unicode.h"

namespace tern::text::jinja {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<uint8_t>(c) >= 0x80;
}

std::string normalize_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_newlines(source)), rest_(source_) {}

  Result<std::vector<Token>> run() {
    while (pos_ < rest_.size()) {
      const size_t tag = next_tag();
      if (tag == std::string_view::npos) {
        add_text(rest_.substr(pos_));
        break;
      }
      const char kind = rest_[tag + 1];
      const char sign = tag + 2 < rest_.size() ? rest_[tag + 2] : '\0';
      add_text(before_tag(rest_.substr(pos_, tag - pos_), kind, sign));
      move_to(tag);
      TRY(kind == '#' ? comment() : kind == '{' ? variable(sign) : block(sign));
    }
    tokens_.push_back({TokenKind::kEnd, "", line_});
    return std::move(tokens_);
  }

 private:
  template <class... Args>
  std::unexpected<Error> error(fmt::format_string<Args...> text, Args&&... args) const {
    return fail(ErrorCode::kInvalidFile, "Line {} of the template: {}", line_,
                fmt::format(text, std::forward<Args>(args)...));
  }

  size_t next_tag() const {
    for (size_t at = rest_.find('{', pos_); at != std::string_view::npos; at = rest_.find('{', at + 1)) {
      if (at + 1 < rest_.size() && (rest_[at + 1] == '{' || rest_[at + 1] == '%' || rest_[at + 1] == '#')) return at;
    }
    return std::string_view::npos;
  }

  // lstrip_blocks and the signs - and + at the tag's start.
  std::string_view before_tag(std::string_view text, char kind, char sign) const {
    if (sign == '-') return strip_right(text);
    if (sign == '+' || kind == '{') return text;
    const size_t newline = text.rfind('\n');
    const size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
    if (line_start == 0 && !at_line_start_) return text;
    const bool blank = text.find_first_not_of(" \t", line_start) == std::string_view::npos;
    return blank ? text.substr(0, line_start) : text;
  }

  void add_text(std::string_view text) {
    if (!text.empty()) tokens_.push_back({TokenKind::kText, std::string(text), line_});
  }

  void add(TokenKind kind, std::string_view text = "") { tokens_.push_back({kind, std::string(text), line_}); }

  void move_to(size_t pos) {
    line_ += static_cast<uint32_t>(
        std::count(rest_.begin() + static_cast<ptrdiff_t>(pos_), rest_.begin() + static_cast<ptrdiff_t>(pos), '\n'));
    pos_ = pos;
  }

  // After a closing mark of `length` bytes at pos_: the sign - strips what follows, trim_blocks one newline.
  void after_tag(size_t length, char sign, bool trims) {
    size_t end = pos_ + length;
    if (sign == '-') {
      end = rest_.size() - strip_left(rest_.substr(end)).size();
    } else if (sign != '+' && trims && end < rest_.size() && rest_[end] == '\n') {
      ++end;
    }
    at_line_start_ = rest_[end - 1] == '\n';
    move_to(end);
  }

  Result<void> comment() {
    const size_t end = rest_.find("#}", pos_ + 2);
    if (end == std::string_view::npos) return error("a comment does not end; expected \"#}}\".");
    const char sign = end > pos_ + 2 ? rest_[end - 1] : '\0';
    move_to(end);
    after_tag(2, sign, true);
    return {};
  }

  Result<void> variable(char sign) {
    add(TokenKind::kVariableBegin);
    move_to(pos_ + 2 + (sign == '-' || sign == '+'));
    TRY(expression("}}"));
    add(TokenKind::kVariableEnd);
    const char end_sign = rest_[pos_] == '-' ? '-' : '\0';
    after_tag(end_sign ? 3 : 2, end_sign, false);
    return {};
  }

  Result<void> block(char sign) {
    const size_t inside = pos_ + 2 + (sign == '-' || sign == '+');
    if (const size_t end = tag_of_word(inside, "raw"); end != 0) return raw(end);
    add(TokenKind::kBlockBegin);
    move_to(inside);
    TRY(expression("%}"));
    add(TokenKind::kBlockEnd);
    const char end_sign = rest_[pos_] == '%' ? '\0' : rest_[pos_];
    after_tag(end_sign ? 3 : 2, end_sign, true);
    return {};
  }

  // If the tag whose inside begins at `pos` is just `word`, the position of its closing mark (or its sign), else 0.
  size_t tag_of_word(size_t pos, std::string_view word) const {
    const auto skip = [&] {
      while (pos < rest_.size() && is_python_space(static_cast<uint8_t>(rest_[pos]))) ++pos;
    };
    skip();
    if (!rest_.substr(pos).starts_with(word)) return 0;
    pos += word.size();
    skip();
    const std::string_view after = rest_.substr(pos);
    return after.starts_with("%}") || after.starts_with("-%}") || after.starts_with("+%}") ? pos : 0;
  }

  Result<void> raw(size_t close) {
    const char begin_sign = rest_[close] == '%' ? '\0' : rest_[close];
    move_to(close);
    after_tag(begin_sign ? 3 : 2, begin_sign, false);
    for (size_t at = rest_.find("{%", pos_); at != std::string_view::npos; at = rest_.find("{%", at + 1)) {
      const char sign = at + 2 < rest_.size() ? rest_[at + 2] : '\0';
      const size_t end = tag_of_word(at + 2 + (sign == '-' || sign == '+'), "endraw");
      if (end == 0) continue;
      add_text(before_tag(rest_.substr(pos_, at - pos_), '%', sign));
      move_to(end);
      const char end_sign = rest_[end] == '%' ? '\0' : rest_[end];
      after_tag(end_sign ? 3 : 2, end_sign, true);
      return {};
    }
    return error("a raw block does not end; expected \"{{% endraw %}}\".");
  }

  bool at_close(std::string_view close) const {
    const std::string_view here = rest_.substr(pos_);
    if (here.starts_with(close)) return true;
    const bool sign = here.starts_with('-') || (here.starts_with('+') && close == "%}");
    return sign && here.substr(1).starts_with(close);
  }

  // Tokens up to the closing mark; inside brackets the mark is only operators.
  Result<void> expression(std::string_view close) {
    std::string open;
    while (true) {
      while (pos_ < rest_.size() && is_ascii_space(rest_[pos_])) move_to(pos_ + 1);
      if (pos_ >= rest_.size()) return error("a tag does not end; expected \"{}\".", close);
      if (open.empty() && at_close(close)) return {};
      const char c = rest_[pos_];
      if (starts_name(c)) {
        name();
      } else if (is_digit(c)) {
        TRY(number());
      } else if (c == '"' || c == '\'') {
        TRY(string(c));
      } else {
        TRY(op(open));
      }
    }
  }

  static bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  void name() {
    size_t end = pos_;
    while (end < rest_.size() && (starts_name(rest_[end]) || is_digit(rest_[end]))) ++end;
    add(TokenKind::kName, rest_.substr(pos_, end - pos_));
    move_to(end);
  }

  // Digits with single underscores between them, without the underscores.
  std::string digits() {
    std::string out;
    while (pos_ < rest_.size() && (is_digit(rest_[pos_]) || rest_[pos_] == '_')) {
      if (rest_[pos_] != '_') out += rest_[pos_];
      ++pos_;
    }
    return out;
  }

  Result<void> number() {
    const bool after_dot =
        !tokens_.empty() && tokens_.back().kind == TokenKind::kOperator && tokens_.back().text == ".";
    std::string text = digits();
    TokenKind kind = TokenKind::kInteger;
    const auto digit_at = [&](size_t i) { return pos_ + i < rest_.size() && is_digit(rest_[pos_ + i]); };
    if (!after_dot && pos_ < rest_.size() && rest_[pos_] == '.' && digit_at(1)) {
      kind = TokenKind::kFloat;
      ++pos_;
      text += '.' + digits();
    }
    if (!after_dot && pos_ < rest_.size() && (rest_[pos_] == 'e' || rest_[pos_] == 'E')) {
      const bool sign = pos_ + 1 < rest_.size() && (rest_[pos_ + 1] == '-' || rest_[pos_ + 1] == '+');
      if (digit_at(sign ? 2 : 1)) {
        kind = TokenKind::kFloat;
        text += sign && rest_[pos_ + 1] == '-' ? "e-" : "e";
        pos_ += sign ? 2 : 1;
        text += digits();
      }
    }
    if (text.size() > 400) return error("a number has {} digits, at most 400 are allowed.", text.size());
    add(kind, text);
    return {};
  }

  Result<void> string(char quote) {
    size_t end = pos_ + 1;
    while (end < rest_.size() && rest_[end] != quote) end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return error("a string does not end; expected {}.", quote);
    add(TokenKind::kString, unescape(rest_.substr(pos_ + 1, end - pos_ - 1)));
    move_to(end + 1);
    return {};
  }

  // Python's escapes; one that Python does not know stays as it is.
  static std::string unescape(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      constexpr std::string_view kFrom = "nrtabfv\\'\"", kTo = "\n\r\t\a\b\f\v\\'\"";
      if (const size_t simple = kFrom.find(c); simple != std::string_view::npos) {
        out += kTo[simple];
      } else if (c == '\n') {
        continue;
      } else if (const size_t width = c == 'x'   ? 2
                                      : c == 'u' ? 4
                                      : c == 'U' ? 8
                                                 : 0;
                 width && is_hex(text, i + 1, width)) {
        append_utf8(out, static_cast<uint32_t>(read_digits(text, i + 1, width, 16)));
        i += width;
      } else if (c >= '0' && c <= '7') {
        size_t count = 1;
        while (count < 3 && i + count < text.size() && text[i + count] >= '0' && text[i + count] <= '7') ++count;
        append_utf8(out, static_cast<uint32_t>(read_digits(text, i, count, 8)));
        i += count - 1;
      } else {
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  static int digit_value(char c) {
    if (is_digit(c)) return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
  }
  static bool is_hex(std::string_view text, size_t at, size_t width) {
    if (at + width > text.size()) return false;
    return std::ranges::all_of(text.substr(at, width), [](char c) { return digit_value(c) < 16; });
  }
  static uint64_t read_digits(std::string_view text, size_t at, size_t width, uint64_t base) {
    uint64_t value = 0;
    for (const char c : text.substr(at, width)) value = value * base + static_cast<uint64_t>(digit_value(c));
    return value;
  }

  Result<void> op(std::string& open) {
    constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                               "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const std::string_view here = rest_.substr(pos_);
    const auto found = std::ranges::find_if(kOperators, [&](std::string_view o) { return here.starts_with(o); });
    if (found == std::end(kOperators)) return error("unexpected character \"{}\".", printable(here));
    constexpr std::string_view kOpening = "([{", kClosing = ")]}";
    if (kOpening.find((*found)[0]) != std::string_view::npos) open += kClosing[kOpening.find((*found)[0])];
    if (kClosing.find((*found)[0]) != std::string_view::npos) {
      if (open.empty() || open.back() != (*found)[0]) return error("unexpected \"{}\".", *found);
      open.pop_back();
    }
    add(TokenKind::kOperator, *found);
    move_to(pos_ + found->size());
    return {};
  }

  static std::string printable(std::string_view text) {
    const char c = text[0];
    return c >= 0x20 && c < 0x7F ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
  }

  std::string source_;
  std::string_view rest_;  // all of source_
  size_t pos_ = 0;
  uint32_t line_ = 1;
  bool at_line_start_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace tern::text::jinja
