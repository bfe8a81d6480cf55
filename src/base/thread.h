// Thread: what a pool's threads are. Natively std::thread. In WebAssembly with shared memory a place that a worker of
// JavaScript takes: another instance of the module on the same memory, with a stack of its own (web/src/threads.ts). It
// may come late, or never, so whoever starts a Thread must not depend on its running; and its body must not touch
// anything of libc that has state but malloc. WebAssembly without shared memory has no Thread.
#pragma once

#ifndef __wasi__
#include <thread>

namespace tern {
using Thread = std::thread;
}
#elif defined(__wasm_atomics__)
#include <cstdint>
#include <functional>
#include <utility>

namespace tern {

class Thread {
 public:
  explicit Thread(std::function<void()> body);
  Thread(Thread&& other) noexcept : place_(std::exchange(other.place_, kNone)) {}
  Thread(const Thread&) = delete;

  /// Returns when the body has; a body that nobody has begun is dropped.
  void join();

 private:
  static constexpr uint32_t kNone = UINT32_MAX;  // there was no place left
  uint32_t place_;
};

}  // namespace tern
#endif
