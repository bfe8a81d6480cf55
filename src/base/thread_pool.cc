#include "base/thread_pool.h"

#include <algorithm>

#ifndef __wasi__
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>
#endif
#ifdef __linux__
#include <sched.h>
#endif

namespace tern {

#ifdef __wasi__

uint32_t available_cores() {
  return 1;
}

struct ThreadPool::Shared {};
ThreadPool::ThreadPool(uint32_t) {}
ThreadPool::~ThreadPool() = default;
void ThreadPool::parallel_for(size_t n, size_t, Body body) {
  if (n > 0) body(0, n, 0);
}

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
uint64_t JobRunner::finished() const {
  return state_->finished;
}
void JobRunner::wait(uint64_t) {}

#else

namespace {

/// The container's CPU quota in whole cores, rounded up; 0 when there is none.
uint32_t cgroup_cores() {
  double quota = -1, period = 0;
  if (std::FILE* v2 = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {  // "max 100000" or "150000 100000"
    if (std::fscanf(v2, "%lf %lf", &quota, &period) != 2) quota = -1;
    std::fclose(v2);
  } else {
    const auto read = [](const char* path, double& value) {
      if (std::FILE* file = std::fopen(path, "r")) {
        if (std::fscanf(file, "%lf", &value) != 1) value = -1;
        std::fclose(file);
      }
    };
    read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota);
    read("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period);
  }
  return quota > 0 && period > 0 ? static_cast<uint32_t>((quota + period - 1) / period) : 0;
}

/// Tells the core that we spin.
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// About 40 us on a core where a pause takes 140 cycles. A futex sleep and wake costs about as much, so that waiting
// costs at most twice what the better choice would have.
constexpr int kSpins = 1000;

// A thread that the system takes off its core holds up the others for one range only. 2, 4 and 8 were the same on an
// idle machine.
constexpr size_t kRangesPerThread = 4;

/// Waits until `value` differs from `old`; spins, then sleeps.
uint32_t wait_for_change(const std::atomic<uint32_t>& value, uint32_t old, int spins) {
  for (int i = 0; i < spins; ++i) {
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    relax();
  }
  for (;;) {
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    value.wait(old, std::memory_order_acquire);
  }
}

}  // namespace

uint32_t available_cores() {
  uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
#ifdef __linux__
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) cores = std::max(1, CPU_COUNT(&mask));
#endif
  const uint32_t quota = cgroup_cores();
  return quota == 0 ? cores : std::min(cores, quota);
}

struct ThreadPool::Shared {
  /// What a claim is made on, in one word, so that a worker that comes late cannot take the next loop for its own.
  struct Claim {
    uint32_t loop;
    uint16_t ranges;   // of the loop
    uint16_t claimed;  // of these
  };

  // The loop at hand. A worker may read these while the next loop is written, hence atomics; its claim then fails.
  std::atomic<const Body*> body{nullptr};
  std::atomic<size_t> n{0};
  alignas(64) std::atomic<Claim> claim{Claim{}};
  alignas(64) std::atomic<uint32_t> done{0};  // ranges done
  alignas(64) std::atomic<uint32_t> loop{0};  // number of the loop: what idle workers wait for
  std::atomic<bool> stop{false};
  int spins = 0;
  std::vector<std::thread> workers;

  /// Claims ranges one by one until none is left.
  void run_ranges(uint32_t worker) {
    Claim now = claim.load(std::memory_order_acquire);
    while (now.claimed < now.ranges) {
      const Body* f = body.load(std::memory_order_relaxed);
      const size_t items = n.load(std::memory_order_relaxed);
      const Claim next{now.loop, now.ranges, static_cast<uint16_t>(now.claimed + 1)};
      // Success proves that the loop is not over, so that what was read above belongs to it.
      if (!claim.compare_exchange_weak(now, next, std::memory_order_acq_rel)) continue;
      const auto bound = [&](size_t i) { return items / now.ranges * i + std::min<size_t>(i, items % now.ranges); };
      (*f)(bound(now.claimed), bound(next.claimed), worker);
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == now.ranges) done.notify_one();
      now = claim.load(std::memory_order_acquire);
    }
  }

  void work(uint32_t worker) {
    for (uint32_t seen = 0;;) {
      seen = wait_for_change(loop, seen, spins);
      if (stop.load(std::memory_order_relaxed)) return;
      run_ranges(worker);
    }
  }
};

ThreadPool::ThreadPool(uint32_t threads) {
  const uint32_t cores = available_cores();
  threads_ = std::min(threads == 0 ? cores : threads, kMaxThreads);
  if (threads_ == 1) return;
  shared_ = std::make_unique<Shared>();
  shared_->spins = threads_ <= cores ? kSpins : 0;  // spinning would take the core from whom we wait for
  for (uint32_t worker = 1; worker < threads_; ++worker) {
    shared_->workers.emplace_back([shared = shared_.get(), worker] { shared->work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  if (!shared_) return;
  shared_->stop.store(true, std::memory_order_relaxed);
  shared_->loop.fetch_add(1, std::memory_order_release);
  shared_->loop.notify_all();
  for (std::thread& worker : shared_->workers) worker.join();
}

void ThreadPool::parallel_for(size_t n, size_t least, Body body) {
  if (n == 0) return;
  const size_t most = threads_ == 1 ? 1 : threads_ * kRangesPerThread;
  const size_t ranges = std::min(most, std::max<size_t>(1, n / std::max<size_t>(1, least)));
  if (ranges == 1) return body(0, n, 0);
  Shared& s = *shared_;
  s.body.store(&body, std::memory_order_relaxed);
  s.n.store(n, std::memory_order_relaxed);
  s.done.store(0, std::memory_order_relaxed);
  const uint32_t loop = s.loop.load(std::memory_order_relaxed) + 1;
  s.claim.store({loop, static_cast<uint16_t>(ranges), 0}, std::memory_order_release);
  s.loop.store(loop, std::memory_order_release);
  s.loop.notify_all();
  s.run_ranges(0);
  for (;;) {
    const uint32_t done = s.done.load(std::memory_order_acquire);
    if (done == ranges) return;
    wait_for_change(s.done, done, s.spins);
  }
}

struct JobRunner::State {
  std::function<void(uint64_t)> body;
  std::mutex mutex;
  std::condition_variable changed;  // started, finished or stop
  uint64_t started = 0;
  std::atomic<uint64_t> finished{0};
  bool stop = false;
  std::thread thread;

  void work() {
    for (std::unique_lock lock(mutex);;) {
      changed.wait(lock, [&] { return stop || started > finished; });
      if (started == finished) return;
      const uint64_t job = finished + 1;
      lock.unlock();
      body(job);
      lock.lock();
      finished.store(job, std::memory_order_release);
      changed.notify_all();
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
  state_->changed.notify_all();
  return ++state_->started;
}

uint64_t JobRunner::finished() const {
  return state_->finished.load(std::memory_order_acquire);
}

void JobRunner::wait(uint64_t job) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->finished >= job; });
}

#endif

}  // namespace tern
