#include "text/guard.h"

#include "text/unicode.h"

namespace tern::text {
namespace {

// U+FDD0 to U+FDEF (Unicode 16, section 23.7).
constexpr uint32_t kFirstMark = 0xFDD0, kLastMark = 0xFDEF;

bool holds(const Json& json, const std::string& part) {
  if (json.is_string()) return json.get_ref<const std::string&>().find(part) != std::string::npos;
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      if (key.find(part) != std::string::npos || holds(value, part)) return true;
    }
  }
  if (json.is_array()) {
    for (const Json& item : json) {
      if (holds(item, part)) return true;
    }
  }
  return false;
}

}  // namespace

Result<Guard> Guard::make(const Tokenizer& tokenizer, const Json& conversation) {
  for (uint32_t code_point = kFirstMark; code_point <= kLastMark; ++code_point) {
    std::string mark;
    append_utf8(mark, code_point);
    if (!holds(conversation, mark)) return Guard(tokenizer, std::move(mark));
  }
  return fail(ErrorCode::kInvalidArgument,
              "The conversation holds all noncharacters from U+FDD0 to U+FDEF; at least one must be free.");
}

std::string Guard::marked(std::string_view text) const {
  std::string out;
  size_t copied = 0;
  for (const size_t start : tokenizer_->control_starts(text)) {
    const size_t end = start + decode_utf8(text, start).length;
    if (start < copied) continue;
    out += text.substr(copied, end - copied);
    out += mark_;
    copied = end;
  }
  out += text.substr(copied);
  return out;
}

Json Guard::mark(const Json& json) const {
  if (json.is_string()) return marked(json.get_ref<const std::string&>());
  if (json.is_array()) {
    Json out = Json::array();
    for (const Json& item : json) out.push_back(mark(item));
    return out;
  }
  if (json.is_object()) {
    Json out = Json::object();
    for (const auto& [key, value] : json.items()) out[marked(key)] = mark(value);
    return out;
  }
  return json;
}

Guard::Unmarked Guard::take_marks(std::string_view rendered) const {
  Unmarked out;
  size_t copied = 0;
  for (size_t at = rendered.find(mark_); at != std::string_view::npos; at = rendered.find(mark_, copied)) {
    out.text += rendered.substr(copied, at - copied);
    out.barriers.push_back(out.text.size());
    copied = at + mark_.size();
  }
  out.text += rendered.substr(copied);
  return out;
}

}  // namespace tern::text
