// The only threads of the engine: a pool that splits a loop over cores, and a runner that does jobs behind the caller's
// back, one after the other. Neither allocates once it exists. In WebAssembly the runner works before start() returns,
// and without shared memory the pool is the caller alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

#include "base/cores.h"
#include "base/trace.h"

namespace tern {

/// A reference to a callable that outlives the call it is passed to; unlike std::function it never allocates.
template <class Signature>
class FunctionRef;

template <class Out, class... In>
class FunctionRef<Out(In...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
  FunctionRef(F&& f)  // NOLINT: implicit, as a parameter type should be
      : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* object, In... in) -> Out {
          return (*static_cast<std::remove_reference_t<F>*>(object))(static_cast<In>(in)...);
        }) {}
  Out operator()(In... in) const { return call_(object_, static_cast<In>(in)...); }

 private:
  void* object_;
  Out (*call_)(void*, In...);
};

/// Persistent threads that share loops with the one caller of parallel_for(). After a loop they spin for some tens of
/// microseconds, because the next loop of a step follows at once, and then sleep.
class ThreadPool {
 public:
  static constexpr uint32_t kMaxThreads = 256;
  /// threads: the caller included; 0 = available_cores(). At most kMaxThreads.
  explicit ThreadPool(uint32_t threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  uint32_t threads() const { return threads_; }

  using Body = FunctionRef<void(size_t begin, size_t end, uint32_t worker)>;
  /// Splits [0, n) into a few contiguous ranges per thread. Each worker, the caller among them, has its own, always the
  /// same ones for the same n, and takes over ranges of others when it is done with them. Returns when all are done.
  /// worker < threads() tells who runs a range, for scratch memory. No range is shorter than `least` items, so that
  /// small loops stay with the caller.
  void parallel_for(size_t n, size_t least, Body body);

  /// Ranges become spans on a lane per worker, called `name`, until it is changed. null: no trace.
  void set_trace(Trace* trace);
  void name_loops(const char* name) { loop_name_ = name; }

  /// Workers that sleep in the kernel now; for tests.
  uint32_t sleeping() const;

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;  // null when the caller is alone
  uint32_t threads_ = 1;
  Trace* trace_ = nullptr;
  const char* loop_name_ = "loop";
  std::vector<uint32_t> lanes_;  // of the trace, one per worker

  void run(size_t n, size_t least, Body body);
};

/// Runs body(1), body(2), ... in order, one for each start(), on whichever thread suits: the owner's own when it waits,
/// so that a step of decoding costs no wake-up of another thread (two of 5 to 50 us each), else on a thread of its own.
class JobRunner {
 public:
  explicit JobRunner(std::function<void(uint64_t job)> body);
  ~JobRunner();  // finishes what was started
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  /// Queues the next job and returns its number; does not wait for it. It begins by the first of: wait(), done() asking
  /// for it, another start().
  uint64_t start();
  /// Whether `job` is done. When it is not, its thread gets to work. Never blocks.
  bool done(uint64_t job);
  /// The last job that is done; jobs up to it are.
  uint64_t finished() const;
  /// Returns when `job` is done; runs the jobs up to it here when nobody does.
  void wait(uint64_t job);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tern
