// Where the values of a step lie: an arena shared by values that do not live at the same time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern::graph {

/// A value: bytes in the worst case, and the first and last step that touch it (both included).
struct Lifetime {
  uint64_t bytes;
  uint32_t first, last;
  bool operator==(const Lifetime&) const = default;
};

struct ArenaPlan {
  std::vector<uint64_t> offsets;  // bytes, multiples of kArenaAlignment; index: that of the lifetimes
  uint64_t bytes = 0;
};

/// Cache lines, and the unit of vector loads.
inline constexpr uint64_t kArenaAlignment = 64;
/// Of byte ranges that a kernel binds: WebGPU's default minStorageBufferOffsetAlignment.
inline constexpr uint64_t kBindingAlignment = 256;

constexpr uint64_t align_arena(uint64_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

/// Greedy by size: the largest value first, each at the lowest offset where no value that lives at the same time lies.
/// Source: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020), section 5.2.
/// The same offsets for the same input. With `reuse` false all lie one after the other.
ArenaPlan plan_memory(std::span<const Lifetime> values, bool reuse);

}  // namespace tern::graph
