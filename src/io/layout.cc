#include "io/layout.h"

#include <algorithm>

#include "io/text.h"

namespace tern::io {

std::optional<uint64_t> element_count(std::span<const uint64_t> shape) {
  uint64_t product = 1;
  for (const uint64_t dim : shape) {
    if (dim != 0 && product > static_cast<uint64_t>(INT64_MAX) / dim) return std::nullopt;
    product *= dim;
  }
  return product;
}

Result<void> check_disjoint(std::vector<ByteRange>& ranges) {
  std::ranges::sort(ranges, {}, [](const ByteRange& r) { return std::pair(r.begin, r.end); });
  for (size_t i = 1; i < ranges.size(); ++i) {
    const ByteRange &a = ranges[i - 1], &b = ranges[i];
    if (b.begin < a.end) {
      if (a.name == b.name) {
        return fail(ErrorCode::kInvalidFile, "Tensor {} appears twice, every name must be unique.", printable(a.name));
      }
      return fail(
          ErrorCode::kInvalidFile, "Tensors {} (bytes {} to {}) and {} (bytes {} to {}) overlap. The file is damaged.",
          printable(a.name), grouped(a.begin), grouped(a.end), printable(b.name), grouped(b.begin), grouped(b.end));
    }
  }
  return {};
}

}  // namespace tern::io
