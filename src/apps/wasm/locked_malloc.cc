// The allocator of Debian's wasi-libc knows one thread. Here each call of it, the library's own ones too, takes a lock
// (--wrap of the linker). Threads of the pool allocate nothing, so it is all but never waited for.
#include <atomic>
#include <cstddef>

#include "base/futex.h"

namespace {

// 0: free, 1: taken. Constant initialisation: malloc is called before constructors run.
constinit std::atomic<uint32_t> lock_word{0};

struct Lock {
  Lock() {
    while (lock_word.exchange(1, std::memory_order_acquire) != 0) tern::wait_while(lock_word, 1);
  }
  ~Lock() {
    lock_word.store(0, std::memory_order_release);
    tern::wake_all(lock_word);
  }
};

}  // namespace

extern "C" {
void* __real_malloc(size_t size);
void __real_free(void* pointer);
void* __real_calloc(size_t n, size_t size);
void* __real_realloc(void* pointer, size_t size);
void* __real_aligned_alloc(size_t align, size_t size);
int __real_posix_memalign(void** out, size_t align, size_t size);

void* __wrap_malloc(size_t size) {
  const Lock lock;
  return __real_malloc(size);
}
void __wrap_free(void* pointer) {
  const Lock lock;
  __real_free(pointer);
}
void* __wrap_calloc(size_t n, size_t size) {
  const Lock lock;
  return __real_calloc(n, size);
}
void* __wrap_realloc(void* pointer, size_t size) {
  const Lock lock;
  return __real_realloc(pointer, size);
}
void* __wrap_aligned_alloc(size_t align, size_t size) {
  const Lock lock;
  return __real_aligned_alloc(align, size);
}
int __wrap_posix_memalign(void** out, size_t align, size_t size) {
  const Lock lock;
  return __real_posix_memalign(out, align, size);
}
}
