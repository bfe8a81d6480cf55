#include "base/pages.h"

#ifdef __linux__
#include <sys/mman.h>

#include <cstdint>
#endif

namespace tern {

#ifdef __linux__
void prefer_huge_pages(std::span<std::byte> memory) {
  constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
  const auto begin = (reinterpret_cast<uintptr_t>(memory.data()) + kHugePage - 1) / kHugePage * kHugePage;
  const auto end = (reinterpret_cast<uintptr_t>(memory.data()) + memory.size()) / kHugePage * kHugePage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}
#else
void prefer_huge_pages(std::span<std::byte>) {}
#endif

}  // namespace tern
