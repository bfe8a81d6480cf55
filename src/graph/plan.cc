// Plans in memory: sizes, and attributes as words.
#include "graph/plan.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "graph/shapes.h"

namespace tern::graph {

bool Plan::operator==(const Plan&) const = default;

Result<uint64_t> kv_bytes(KvFormat format, uint64_t n) {
  uint64_t units = n, unit_bytes = 0;
  switch (format) {
    case KvFormat::kF32:
      unit_bytes = 4;
      break;
    case KvFormat::kF16:
      unit_bytes = 2;
      break;
    case KvFormat::kQ8_0:
      if (n % 32 != 0) {
        return fail(ErrorCode::kInvalidArgument, "A q8_0 cache holds blocks of 32 values, but heads have {}.", n);
      }
      units = n / 32;
      unit_bytes = 34;  // an f16 scale and 32 int8
      break;
    default:
      return fail(ErrorCode::kInvalidFile, "The KV format {} is unknown.", static_cast<uint32_t>(format));
  }
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(units, unit_bytes, &bytes)) {
    return fail(ErrorCode::kInvalidArgument, "A cache of {} values is larger than 2^64 bytes.", n);
  }
  return bytes;
}

uint64_t Plan::page_bytes() const {
  const Result<uint64_t> head = kv_bytes(key.kv_format, head_dim);
  ASSERT(head);  // validate() checks it
  return *head * key.page_tokens * n_kv_heads;
}

uint64_t Plan::arena_bytes() const {
  return std::accumulate(arena.begin(), arena.end(), uint64_t{0});
}

const PlanProgram& Plan::program(uint32_t t) const {
  const auto found = std::ranges::lower_bound(programs, t, {}, &PlanProgram::max_tokens);
  ASSERT(found != programs.end());  // whoever submits checks T
  return *found;
}

uint32_t Plan::find_output(std::string_view name) const {
  const auto found = std::ranges::find(outputs, name, &PlanOutput::name);
  return found == outputs.end() ? kNone : static_cast<uint32_t>(found - outputs.begin());
}

std::vector<uint32_t> attrs_to_words(const Attrs& attrs) {
  return std::visit(
      []<class T>(const T& value) {
        std::vector<uint32_t> words;
        if constexpr (!std::is_empty_v<T>) {
          static_assert(sizeof(T) % 4 == 0 && std::is_trivially_copyable_v<T>);
          words.resize(sizeof(T) / 4);
          std::memcpy(words.data(), &value, sizeof(T));
        }
        return words;
      },
      attrs);
}

Result<Attrs> attrs_from_words(Op op, std::span<const uint32_t> words) {
  if (static_cast<uint32_t>(op) >= kOpCount) {
    return fail(ErrorCode::kInvalidFile, "Op {} is unknown, there are {}.", static_cast<uint32_t>(op), kOpCount);
  }
  Attrs attrs = default_attrs(op);
  const size_t expected = attrs_to_words(attrs).size();
  if (words.size() != expected) {
    return fail(ErrorCode::kInvalidFile, "Op {} has {} words of attributes, expected {}.", op_name(op), words.size(),
                expected);
  }
  std::visit(
      [&]<class T>(T& value) {
        if constexpr (!std::is_empty_v<T>) std::memcpy(static_cast<void*>(&value), words.data(), sizeof(T));
      },
      attrs);
  return attrs;
}

}  // namespace tern::graph
