#include "base/thread.h"

#ifdef __wasm_atomics__
#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "base/futex.h"
#include "base/thread_pool.h"

extern "C" {
/// Starts a worker that shall call tern_thread(place), with this stack and thread-local storage; does not wait for it.
__attribute__((import_module("tern_host"), import_name("start_thread"))) void tern_host_start_thread(uint32_t place,
                                                                                                     void* stack_top,
                                                                                                     void* tls);
}

namespace tern {
namespace {

constexpr size_t kStackBytes = size_t{256} << 10;

enum State : uint32_t { kFree, kOffered, kRunning };

/// Where a worker finds what to run. The caller offers, and takes back what is not running yet.
struct Place {
  std::atomic<uint32_t> state{kFree};
  std::function<void()> body;
  bool started = false;  // its worker was asked for; it stays
};

// Workers find their places by number: they share memory with the caller, but no variable of it, hence a global.
Place places[ThreadPool::kMaxThreads];

/// Stack and thread-local storage, which live as long as the module does.
bool start_worker(uint32_t place) {
  const size_t align = std::max<size_t>(16, __builtin_wasm_tls_align());
  const size_t tls_bytes = (__builtin_wasm_tls_size() + align - 1) / align * align;
  auto* block = static_cast<char*>(std::aligned_alloc(align, tls_bytes + kStackBytes));
  if (!block) return false;
  tern_host_start_thread(place, block + tls_bytes + kStackBytes, block);
  return true;
}

}  // namespace

Thread::Thread(std::function<void()> body) : place_(kNone) {
  for (uint32_t i = 0; i < ThreadPool::kMaxThreads; ++i) {
    Place& place = places[i];
    if (place.state.load(std::memory_order_acquire) != kFree) continue;
    if (!place.started && !start_worker(i)) return;
    place.started = true;
    place.body = std::move(body);
    place.state.store(kOffered, std::memory_order_release);
    wake_all(place.state);
    place_ = i;
    return;
  }
}

void Thread::join() {
  if (place_ == kNone) return;
  Place& place = places[place_];
  uint32_t state = kOffered;
  if (!place.state.compare_exchange_strong(state, kFree, std::memory_order_acq_rel)) {
    while ((state = place.state.load(std::memory_order_acquire)) != kFree) wait_while(place.state, state);
  }
  place.body = nullptr;
  place_ = kNone;
}

}  // namespace tern

/// What a worker calls once: runs what is offered at its place, for ever.
extern "C" __attribute__((export_name("tern_thread"))) void tern_thread(uint32_t index) {
  using namespace tern;
  Place& place = places[index];
  for (;;) {
    uint32_t state = kOffered;
    if (place.state.compare_exchange_strong(state, kRunning, std::memory_order_acq_rel)) {
      place.body();
      place.state.store(kFree, std::memory_order_release);
      wake_all(place.state);
    } else {
      wait_while(place.state, state);
    }
  }
}
#endif
