#include "base/thread_pool.h"

#include <algorithm>

#ifndef __wasi__
#include <chrono>
#include <condition_variable>
#include <mutex>
#endif
#if !defined(__wasi__) || defined(__wasm_atomics__)
#include <atomic>

#include "base/futex.h"
#include "base/thread.h"
#endif

namespace tern {

#if defined(__wasi__) && !defined(__wasm_atomics__)

struct ThreadPool::Shared {};
ThreadPool::ThreadPool(uint32_t) {}
ThreadPool::~ThreadPool() = default;
void ThreadPool::parallel_for(size_t n, size_t, Body body) {
  if (n > 0) body(0, n, 0);
}
uint32_t ThreadPool::sleeping() const {
  return 0;
}
void ThreadPool::set_trace(Trace*) {}

#else

namespace {

/// Tells the core that we spin.
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

#ifdef __wasi__
/// Time for waiting awake, in looks at a value of 1 to 2 ns: to look at the clock is a call of JavaScript.
class Spin {
 public:
  bool goes_on() { return ++looks_ < 1500; }

 private:
  int looks_ = 0;
};
#else
/// A futex sleep and wake costs about as much, so that waiting costs at most twice what the better choice would have.
class Spin {
 public:
  bool goes_on() const { return std::chrono::steady_clock::now() < end_; }

 private:
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
};
#endif

// A thread that the system takes off its core holds up the others for one range only. 2, 4 and 8 were the same on an
// idle machine.
constexpr size_t kRangesPerThread = 4;

/// Waits until `value` differs from `old`; spins for a while, then sleeps, counted in `sleeping`.
uint32_t wait_for_change(const std::atomic<uint32_t>& value, uint32_t old, bool spin, std::atomic<uint32_t>& sleeping) {
  constexpr int kPausesPerLook = 16;  // at the clock: a look takes as long as a pause
  Spin time;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      const uint32_t now = value.load(std::memory_order_acquire);
      if (now != old) return now;
      relax();
    }
  } while (spin && time.goes_on());
  for (;;) {
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    sleeping.fetch_add(1);
    wait_while(value, old);
    sleeping.fetch_sub(1, std::memory_order_relaxed);
  }
}

/// After a change of `value`. WebAssembly's notify costs a call even when nobody sleeps. Whoever is about to sleep has
/// counted itself before it looks at the value again, so one of both sees the other.
void wake_waiting(std::atomic<uint32_t>& value, [[maybe_unused]] const std::atomic<uint32_t>& sleeping) {
#ifdef __wasi__
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (sleeping.load() == 0) return;
#endif
  wake_all(value);
}

}  // namespace

struct ThreadPool::Shared {
  /// The ranges of one worker, in one word: who takes one proves by the same exchange that the loop is not over.
  struct Claim {
    uint32_t loop;
    uint16_t next, end;  // ranges nobody has taken
  };
  struct alignas(64) Lane {
    std::atomic<Claim> claim{Claim{}};
  };

  // The loop at hand. A worker may read these while the next loop is written, hence atomics; its claim then fails.
  std::atomic<const Body*> body{nullptr};
  std::atomic<size_t> n{0}, ranges{0};
  std::vector<Lane> lanes;                    // one per worker
  alignas(64) std::atomic<uint32_t> done{0};  // ranges done
  alignas(64) std::atomic<uint32_t> loop{0};  // number of the loop: what idle workers wait for
  alignas(64) std::atomic<uint32_t> sleeping{0};
  std::atomic<bool> stop{false};
  bool spin = true;
  std::vector<Thread> workers;

  explicit Shared(uint32_t threads) : lanes(threads) {}

  /// Runs the ranges of `lane` one by one until none is left.
  void run_lane(Lane& lane, uint32_t worker) {
    Claim now = lane.claim.load(std::memory_order_acquire);
    while (now.next < now.end) {
      const Body* f = body.load(std::memory_order_relaxed);
      const size_t items = n.load(std::memory_order_relaxed), count = ranges.load(std::memory_order_relaxed);
      const Claim taken{now.loop, static_cast<uint16_t>(now.next + 1), now.end};
      // Success proves that the loop is not over, so that what was read above belongs to it.
      if (!lane.claim.compare_exchange_weak(now, taken, std::memory_order_acq_rel)) continue;
      const auto bound = [&](size_t i) { return items / count * i + std::min(i, items % count); };
      (*f)(bound(now.next), bound(taken.next), worker);
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == count) wake_waiting(done, sleeping);
      now = lane.claim.load(std::memory_order_acquire);
    }
  }

  /// First what is the worker's own, then what the others have left.
  void run_ranges(uint32_t worker) {
    for (size_t i = 0; i < lanes.size(); ++i) run_lane(lanes[(worker + i) % lanes.size()], worker);
  }

  void work(uint32_t worker) {
    for (uint32_t seen = 0;;) {
      seen = wait_for_change(loop, seen, spin, sleeping);
      if (stop.load(std::memory_order_relaxed)) return;
      run_ranges(worker);
    }
  }
};

ThreadPool::ThreadPool(uint32_t threads) {
  const uint32_t cores = available_cores();
  threads_ = std::min(threads == 0 ? cores : threads, kMaxThreads);
  if (threads_ == 1) return;
  shared_ = std::make_unique<Shared>(threads_);
  shared_->spin = threads_ <= cores;  // else it would take the core from whom we wait for
  for (uint32_t worker = 1; worker < threads_; ++worker) {
    shared_->workers.emplace_back([shared = shared_.get(), worker] { shared->work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  if (!shared_) return;
  shared_->stop.store(true, std::memory_order_relaxed);
  shared_->loop.fetch_add(1, std::memory_order_release);
  wake_waiting(shared_->loop, shared_->sleeping);
  for (Thread& worker : shared_->workers) worker.join();
}

uint32_t ThreadPool::sleeping() const {
  return shared_ ? shared_->sleeping.load(std::memory_order_relaxed) : 0;
}

void ThreadPool::set_trace(Trace* trace) {
  trace_ = trace;
  lanes_.clear();
  for (uint32_t i = 0; trace && i < threads_; ++i) lanes_.push_back(trace->add_lane("thread " + std::to_string(i)));
}

void ThreadPool::parallel_for(size_t n, size_t least, Body body) {
  if (!trace_ || !trace_->recording()) return run(n, least, body);
  const char* name = loop_name_;
  run(n, least, [&](size_t begin, size_t end, uint32_t worker) {
    const TraceScope scope(trace_, lanes_[worker], name);
    body(begin, end, worker);
  });
}

void ThreadPool::run(size_t n, size_t least, Body body) {
  if (n == 0) return;
  const size_t most = threads_ == 1 ? 1 : threads_ * kRangesPerThread;
  const size_t ranges = std::min(most, std::max<size_t>(1, n / std::max<size_t>(1, least)));
  if (ranges == 1) return body(0, n, 0);
  Shared& s = *shared_;
  s.body.store(&body, std::memory_order_relaxed);
  s.n.store(n, std::memory_order_relaxed);
  s.ranges.store(ranges, std::memory_order_relaxed);
  s.done.store(0, std::memory_order_relaxed);
  const uint32_t loop = s.loop.load(std::memory_order_relaxed) + 1;
  for (size_t i = 0; i < threads_; ++i) {
    const auto first = static_cast<uint16_t>(ranges * i / threads_);
    const auto end = static_cast<uint16_t>(ranges * (i + 1) / threads_);
    s.lanes[i].claim.store({loop, first, end}, std::memory_order_release);
  }
  s.loop.store(loop, std::memory_order_release);
  wake_waiting(s.loop, s.sleeping);
  s.run_ranges(0);
  for (;;) {
    const uint32_t done = s.done.load(std::memory_order_acquire);
    if (done == ranges) return;
    wait_for_change(s.done, done, s.spin, s.sleeping);
  }
}

#endif

#ifdef __wasi__

struct JobRunner::State {
  std::function<void(uint64_t)> body;
  uint64_t finished = 0;
};
JobRunner::JobRunner(std::function<void(uint64_t)> body) : state_(new State{std::move(body)}) {}
JobRunner::~JobRunner() = default;
uint64_t JobRunner::start() {
  state_->body(state_->finished + 1);
  return ++state_->finished;
}
bool JobRunner::done(uint64_t job) {
  return state_->finished >= job;
}
uint64_t JobRunner::finished() const {
  return state_->finished;
}
void JobRunner::wait(uint64_t) {}

#else

struct JobRunner::State {
  std::function<void(uint64_t)> body;
  std::mutex mutex;
  std::condition_variable changed;  // wanted, running, finished or stop
  uint64_t started = 0;             // queued
  bool wanted = false;              // by done() or start(): the thread takes what is queued
  bool running = false;             // a job, by the thread or by wait()
  bool stop = false;
  std::atomic<uint64_t> finished{0};
  std::thread thread;

  /// Runs the next job; gives the lock back for that time.
  void run(std::unique_lock<std::mutex>& lock) {
    const uint64_t job = finished + 1;
    running = true;
    lock.unlock();
    body(job);
    lock.lock();
    running = false;
    finished.store(job, std::memory_order_release);
    if (started == job) wanted = false;
    changed.notify_all();  // costs a system call only when somebody sleeps
  }

  void work() {
    for (std::unique_lock lock(mutex);;) {
      changed.wait(lock, [&] { return !running && (stop || (wanted && started > finished)); });
      if (started == finished) return;
      run(lock);
    }
  }
};

JobRunner::JobRunner(std::function<void(uint64_t)> body) : state_(std::make_unique<State>()) {
  state_->body = std::move(body);
  state_->thread = std::thread([state = state_.get()] { state->work(); });
}

JobRunner::~JobRunner() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->changed.notify_all();
  }
  state_->thread.join();
}

uint64_t JobRunner::start() {
  const std::lock_guard lock(state_->mutex);
  if (++state_->started > state_->finished + 1 && !state_->wanted) {
    state_->wanted = true;
    state_->changed.notify_all();
  }
  return state_->started;
}

bool JobRunner::done(uint64_t job) {
  if (finished() >= job) return true;
  const std::lock_guard lock(state_->mutex);
  if (!state_->wanted) {
    state_->wanted = true;
    state_->changed.notify_all();
  }
  return false;
}

uint64_t JobRunner::finished() const {
  return state_->finished.load(std::memory_order_acquire);
}

void JobRunner::wait(uint64_t job) {
  if (finished() >= job) return;
  std::unique_lock lock(state_->mutex);
  job = std::min(job, state_->started);
  while (state_->finished < job) {
    state_->changed.wait(lock, [&] { return !state_->running || state_->finished >= job; });
    if (state_->finished < job) state_->run(lock);
  }
}

#endif

}  // namespace tern
