#include "io/map_faults.h"

#include <atomic>
#include <cstring>
#include <string>
#include <utility>

#include "base/result.h"

#ifndef __wasi__
#include <signal.h>
#include <unistd.h>
#endif

namespace tern::io {
namespace {

struct Entry {
  std::atomic<bool> taken = false;
  std::atomic<uintptr_t> begin = 0, end = 0;  // begin 0: not to be looked at
  std::string message;                        // complete before begin is set
};

constexpr int32_t kEntries = 4096;
Entry entries[kEntries];

#ifndef __wasi__
std::atomic<int> fault_exit_code = 2;

/// Only what POSIX allows in a handler (async-signal-safe): atomics without locks, write, _exit, signal, raise.
void on_fault(int number, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Entry& entry : entries) {
    const uintptr_t begin = entry.begin.load(std::memory_order_acquire);
    if (begin == 0 || address < begin || address >= entry.end.load(std::memory_order_relaxed)) continue;
    if (write(STDERR_FILENO, entry.message.data(), entry.message.size()) < 0) _exit(1);
    _exit(fault_exit_code.load(std::memory_order_relaxed));
  }
  signal(number, SIG_DFL);  // not ours: as if there were no handler
  raise(number);
}
static_assert(std::atomic<uintptr_t>::is_always_lock_free);
#endif

}  // namespace

void exit_on_map_faults([[maybe_unused]] int exit_code) {
#ifndef __wasi__
  fault_exit_code = exit_code;
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
#endif
}

MapGuard::MapGuard(std::span<const std::byte> map, std::string_view file_name) {
  for (int32_t slot = 0; slot < kEntries && slot_ < 0; ++slot) {
    if (!entries[slot].taken.exchange(true)) slot_ = slot;
  }
  if (slot_ < 0) return;
  Entry& entry = entries[slot_];
  entry.message = fmt::format(
      "\ntern: {} became shorter than the {} bytes it had, or cannot be read any more, while it was in use. A model "
      "file "
      "must stay as it is until the program ends; check the disk, or download the file again.\n",
      file_name, map.size());
  entry.end.store(reinterpret_cast<uintptr_t>(map.data()) + map.size(), std::memory_order_relaxed);
  entry.begin.store(reinterpret_cast<uintptr_t>(map.data()), std::memory_order_release);
}

MapGuard::~MapGuard() {
  if (slot_ < 0) return;
  entries[slot_].begin = 0;
  entries[slot_].taken = false;
}

MapGuard& MapGuard::operator=(MapGuard&& other) noexcept {
  std::swap(slot_, other.slot_);
  return *this;
}

}  // namespace tern::io
