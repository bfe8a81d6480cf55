#include "backends/cpu/roofs.h"

#include <algorithm>
#include <chrono>
#include <span>

#include "backends/cpu/kernels.h"
#include "backends/host/host_memory.h"
#include "base/thread_pool.h"

namespace tern::backends {

namespace {

/// The fastest of a few runs of body(worker) on all threads.
template <class F>
double best_seconds(ThreadPool& pool, F body) {
  double best = 1e30;
  for (int run = 0; run < 5; ++run) {
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(pool.threads(), 1, [&](size_t, size_t, uint32_t worker) { body(worker); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  return best;
}

}  // namespace

Roofs measure_roofs(uint32_t threads, std::string_view isa) {
  const auto kernels = cpu::choose_kernels(isa);
  constexpr size_t kBytes = size_t{256} << 20, kIterations = 1'000'000;
  const auto memory = HostBlock::make(kBytes, "measuring the bandwidth");
  if (!kernels || !memory) return {};
  ThreadPool pool(threads);
  std::vector<float> results(pool.threads());  // so that nothing is optimised away
  std::vector<double> operations(pool.threads());
  Roofs roofs;
  const auto peak_of = [&](auto compute) {  // 1e9 operations a second of all threads
    const double seconds = best_seconds(pool, [&](uint32_t worker) { operations[worker] = compute(&results[worker]); });
    return operations[0] * pool.threads() / seconds * 1e-9;
  };
  roofs.peak_gflop_s = peak_of([&](float* result) { return (*kernels)->peak(kIterations, 1e-3f, result); });
  roofs.peak_int8_gop_s = peak_of([&](float* result) { return (*kernels)->peak_int8(kIterations, result); });
  roofs.peak_bf16_gflop_s = peak_of([&](float* result) { return (*kernels)->peak_bf16(kIterations, result); });

  const std::span<float> all = memory->as<float>();
  std::ranges::fill(all, 1.0f);  // pages that were never written are all the same one
  const size_t part = kBytes / pool.threads() / 1024 * 1024;
  const double reading = best_seconds(pool, [&](uint32_t worker) {
    results[worker] += (*kernels)->read(all.data() + worker * (part / sizeof(float)), part);
  });
  roofs.read_gb_s = static_cast<double>(part) * pool.threads() / reading * 1e-9;
  return roofs;
}

}  // namespace tern::backends
