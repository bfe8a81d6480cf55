#include "io/cursor.h"

#include <algorithm>
#include <cstring>

#include "io/text.h"

namespace tern::io {
namespace {
constexpr uint64_t kWindow = 1 << 16;
}  // namespace

Cursor::Cursor(const ByteSource& source, uint64_t limit) : source_(source), end_(std::min(source.size(), limit)) {}

Result<void> Cursor::expect(uint64_t count, uint64_t item_bytes, std::string_view what) const {
  if (count <= remaining() / item_bytes) return {};
  if (end_ < source_.size()) {
    return fail(ErrorCode::kInvalidFile,
                "At byte {}, {} {} of at least {} bytes each do not fit into the {} bytes allowed for a header.",
                grouped(offset_), grouped(count), what, item_bytes, grouped(end_));
  }
  return fail(ErrorCode::kInvalidFile,
              "At byte {}, {} {} of at least {} bytes each are announced but only {} bytes follow. "
              "The download is probably incomplete, or the file is damaged.",
              grouped(offset_), grouped(count), what, item_bytes, grouped(remaining()));
}

Result<void> Cursor::bytes(std::span<std::byte> out, std::string_view what) {
  if (out.size() > remaining()) {
    return fail(ErrorCode::kInvalidFile,
                "The {} ends at byte {} inside {}, which needs bytes {} to {}. The download is probably incomplete.",
                end_ < source_.size() ? "allowed header" : "file", grouped(end_), what, grouped(offset_),
                grouped(offset_ + out.size()));
  }
  if (out.empty()) return {};
  if (const auto all = source_.mapped(); !all.empty()) {
    std::memcpy(out.data(), all.data() + offset_, out.size());
  } else if (out.size() >= kWindow) {
    TRY(source_.read(offset_, out));
  } else {
    if (offset_ < window_begin_ || offset_ + out.size() > window_begin_ + window_.size()) {
      window_.resize(static_cast<size_t>(std::min(kWindow, remaining())));
      window_begin_ = offset_;
      TRY(source_.read(offset_, window_));
    }
    std::memcpy(out.data(), window_.data() + (offset_ - window_begin_), out.size());
  }
  offset_ += out.size();
  return {};
}

}  // namespace tern::io
