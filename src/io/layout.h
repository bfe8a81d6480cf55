// Checks that the byte ranges of a file's tensors are possible; shared by the readers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tern::io {

/// Elements of a shape; nullopt when the product exceeds 2^63 - 1.
std::optional<uint64_t> element_count(std::span<const uint64_t> shape);

struct ByteRange {
  uint64_t begin = 0, end = 0;
  std::string_view name;
};

/// Sorts by begin. Errors: kInvalidFile naming two ranges that overlap.
Result<void> check_disjoint(std::vector<ByteRange>& ranges);

}  // namespace tern::io
