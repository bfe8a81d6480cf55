// Cursor: reads little-endian values of a ByteSource in order and never past its end. Sources that are not in memory
// are read in windows, so that a header of many small values is a few requests.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "io/byte_source.h"

namespace tern::io {

static_assert(std::endian::native == std::endian::little, "files are little endian and read as they are");

class Cursor {
 public:
  /// Stops at byte `limit` even if the source goes on.
  Cursor(const ByteSource& source, uint64_t limit);

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return end_ - offset_; }

  /// `what` names the value in the error ("the tensor count"). Errors: kInvalidFile at the end, those of the source.
  Result<void> bytes(std::span<std::byte> out, std::string_view what);

  template <class T>
    requires std::is_arithmetic_v<T>
  Result<T> number(std::string_view what) {
    T value;
    TRY(bytes(std::as_writable_bytes(std::span(&value, 1)), what));
    return value;
  }

  /// Fails unless `count` items of at least `item_bytes` each can still follow: call it before reserving for them.
  Result<void> expect(uint64_t count, uint64_t item_bytes, std::string_view what) const;

 private:
  const ByteSource& source_;
  uint64_t end_;
  uint64_t offset_ = 0;
  std::vector<std::byte> window_;
  uint64_t window_begin_ = 0;
};

}  // namespace tern::io
