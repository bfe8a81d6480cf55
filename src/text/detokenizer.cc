#include "text/detokenizer.h"

#include "text/unicode.h"

namespace tern::text {

std::string Utf8Stream::push(std::string_view bytes) {
  const std::string all = held_.append(bytes);
  held_.clear();
  std::string out;
  out.reserve(all.size());
  for (size_t pos = 0; pos < all.size();) {
    const Decoded d = decode_utf8(all, pos);
    if (d.incomplete) {
      held_ = all.substr(pos);
      break;
    }
    if (d.valid) {
      out.append(all, pos, d.length);
    } else {
      append_utf8(out, kReplacement);
    }
    pos += d.length;
  }
  return out;
}

std::string Utf8Stream::flush() {
  std::string out;
  if (!held_.empty()) append_utf8(out, kReplacement);
  held_.clear();
  return out;
}

std::string Detokenizer::push(int32_t id) {
  const bool by_name = show_control_ && tokenizer_->is_control(id);
  return stream_.push(by_name ? tokenizer_->name_of(id) : tokenizer_->bytes_of(id));
}

}  // namespace tern::text
