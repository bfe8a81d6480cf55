#include "allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<uint64_t> count = 0;
}

uint64_t tern::engine::allocation_count() {
  return count;
}

#ifndef TERN_TSAN_OWNS_NEW
void* operator new(size_t bytes) {
  count++;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  std::abort();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, size_t) noexcept {
  std::free(p);
}
#endif
