#include "backends/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TERN_SANITIZER_OWNS_NEW
#endif
#endif

namespace {
std::atomic<uint64_t> g_allocations = 0;
}

#ifdef TERN_SANITIZER_OWNS_NEW
// A need that no machine can meet is to be reported by us, not by the sanitizer.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
extern "C" const char* __tsan_default_options() {
  return "allocator_may_return_null=1";
}
#else
void* operator new(size_t bytes) {
  ++g_allocations;
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

namespace tern::backends {
uint64_t allocation_count() {
  return g_allocations;
}
}  // namespace tern::backends
