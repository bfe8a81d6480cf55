// How often this test program has called operator new.
#pragma once

#include <cstdint>

namespace tern::engine {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TERN_TSAN_OWNS_NEW
#endif
#endif
#ifdef TERN_TSAN_OWNS_NEW
inline constexpr bool kCountsAllocations = false;  // ThreadSanitizer's operator new cannot be replaced
#else
inline constexpr bool kCountsAllocations = true;
#endif
uint64_t allocation_count();
}  // namespace tern::engine
