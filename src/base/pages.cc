#include "base/pages.h"

#ifdef __linux__
#include <sys/mman.h>

#include <cstdint>
#endif

namespace tern {

#ifdef __linux__
void* map_pages(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}
void unmap_pages(void* memory, size_t bytes) {
  munmap(memory, bytes);
}
void prefer_huge_pages(std::span<std::byte> memory) {
  constexpr uintptr_t kPage = 4096;
  const auto begin = reinterpret_cast<uintptr_t>(memory.data()) / kPage * kPage;
  const auto end = (reinterpret_cast<uintptr_t>(memory.data()) + memory.size() + kPage - 1) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}
#else
void* map_pages(size_t) {
  return nullptr;
}
void unmap_pages(void*, size_t) {}
void prefer_huge_pages(std::span<std::byte>) {}
#endif

}  // namespace tern
