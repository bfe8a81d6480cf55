// Replaces operator new so that tests can hold a reader to "no allocation beyond what the file's size can justify".
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "io/support.h"

namespace {
std::atomic<size_t> largest = 0;

void* allocate(size_t bytes) {
  size_t seen = largest;
  while (bytes > seen && !largest.compare_exchange_weak(seen, bytes)) {
  }
  void* memory = std::malloc(std::max<size_t>(bytes, 1));
  if (!memory) std::abort();
  return memory;
}
}  // namespace

void* operator new(size_t bytes) {
  return allocate(bytes);
}
void* operator new[](size_t bytes) {
  return allocate(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  std::free(memory);
}

namespace tern::io {
void reset_largest_allocation() {
  largest = 0;
}
size_t largest_allocation() {
  return largest;
}
}  // namespace tern::io
