// Sleeping until a word changes: std::atomic's wait and notify, which libc++ for WebAssembly lacks.
#pragma once

#include <atomic>
#include <cstdint>

namespace tern {

/// Sleeps while `value` is `old`; may wake up for no reason.
inline void wait_while(const std::atomic<uint32_t>& value, uint32_t old) {
#ifdef __wasm_atomics__
  auto* word = const_cast<int*>(reinterpret_cast<const int*>(&value));
  __builtin_wasm_memory_atomic_wait32(word, static_cast<int>(old), /*nanoseconds: no end*/ -1);
#elif !defined(__wasi__)
  value.wait(old, std::memory_order_acquire);
#endif
}

inline void wake_all(std::atomic<uint32_t>& value) {
#ifdef __wasm_atomics__
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&value), UINT32_MAX);
#elif !defined(__wasi__)
  value.notify_all();
#endif
}

}  // namespace tern
