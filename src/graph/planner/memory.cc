#include "graph/planner/memory.h"

#include <algorithm>
#include <numeric>

namespace tern::graph {
namespace {

/// A value that has its place: [begin, end) bytes.
struct Placed {
  uint64_t begin, end;
  Lifetime life;
};

bool overlap_in_time(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

/// The lowest offset with room for `life`; `placed` is sorted by begin.
uint64_t lowest_gap(const std::vector<Placed>& placed, const Lifetime& life, uint64_t bytes) {
  uint64_t offset = 0;
  for (const Placed& other : placed) {
    if (!overlap_in_time(other.life, life)) continue;
    if (other.begin >= offset + bytes) break;
    offset = std::max(offset, other.end);
  }
  return offset;
}

}  // namespace

ArenaPlan plan_memory(std::span<const Lifetime> values, bool reuse) {
  std::vector<uint32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0u);
  if (reuse) {
    std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
      return values[a].bytes != values[b].bytes ? values[a].bytes > values[b].bytes : a < b;
    });
  }

  ArenaPlan plan;
  plan.offsets.resize(values.size());
  std::vector<Placed> placed;
  for (const uint32_t i : order) {
    const uint64_t bytes = align_arena(values[i].bytes);
    const uint64_t offset = reuse ? lowest_gap(placed, values[i], bytes) : plan.bytes;
    const Placed here{offset, offset + bytes, values[i]};
    placed.insert(std::ranges::upper_bound(placed, here.begin, {}, &Placed::begin), here);
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, here.end);
  }
  return plan;
}

}  // namespace tern::graph
