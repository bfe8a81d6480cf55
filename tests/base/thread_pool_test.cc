#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace tern {
namespace {

/// Every item is visited once, by a worker below threads().
void expect_all_visited(ThreadPool& pool, size_t n, size_t least) {
  std::vector<std::atomic<int>> visits(n);
  std::atomic<bool> worker_in_range = true;
  pool.parallel_for(n, least, [&](size_t begin, size_t end, uint32_t worker) {
    if (worker >= pool.threads()) worker_in_range = false;
    for (size_t i = begin; i < end; ++i) ++visits[i];
  });
  EXPECT_TRUE(worker_in_range);
  for (size_t i = 0; i < n; ++i) ASSERT_EQ(visits[i], 1) << "item " << i << " of " << n;
}

TEST(ThreadPool, VisitsEveryItemOnce) {
  for (const uint32_t threads : {1u, 2u, 3u, 7u, 32u}) {  // more than there are cores
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const size_t n : {0, 1, 2, 3, 5, 31, 1000}) {
      for (const size_t least : {0, 1, 7, 5000}) expect_all_visited(pool, n, least);
    }
  }
}

TEST(ThreadPool, NoWorkerRunsTwoRangesAtOnce) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(pool.threads());
  std::atomic<bool> alone = true;
  for (int loop = 0; loop < 200; ++loop) {
    pool.parallel_for(64, 1, [&](size_t, size_t, uint32_t worker) {
      if (inside[worker].fetch_add(1) != 0) alone = false;
      inside[worker].fetch_sub(1);
    });
  }
  EXPECT_TRUE(alone);
}

/// What a loop wrote, the caller and the next loop see: thousands of loops that depend on each other.
TEST(ThreadPool, LoopsFollowEachOther) {
  for (const uint32_t threads : {2u, 5u}) {
    ThreadPool pool(threads);
    std::vector<uint64_t> a(97), b(97);
    std::iota(a.begin(), a.end(), 0u);
    constexpr int kLoops = 4000;
    for (int loop = 0; loop < kLoops; ++loop) {
      pool.parallel_for(a.size(), 1, [&](size_t begin, size_t end, uint32_t) {
        for (size_t i = begin; i < end; ++i) b[i] = a[(i + 1) % a.size()] + 1;
      });
      std::swap(a, b);
    }
    for (size_t i = 0; i < a.size(); ++i) ASSERT_EQ(a[i], (i + kLoops) % a.size() + kLoops);
  }
}

TEST(ThreadPool, SmallLoopsStayWithTheCaller) {
  ThreadPool pool(4);
  const auto caller = std::this_thread::get_id();
  pool.parallel_for(9, 10, [&](size_t begin, size_t end, uint32_t worker) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(worker, 0u);
    EXPECT_EQ(begin, 0u);
    EXPECT_EQ(end, 9u);
  });
}

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

TEST(ThreadPool, IdleThreadsUseNoCpu) {
  ThreadPool pool(3);
  expect_all_visited(pool, 100, 1);
  JobRunner runner([](uint64_t) {});
  runner.wait(runner.start());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // they spin for a moment
  const double before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(cpu_seconds() - before, 0.03);
}

TEST(ThreadPool, ZeroMeansTheCoresOfThisProcess) {
  EXPECT_GE(available_cores(), 1u);
  EXPECT_LE(available_cores(), std::max(1u, std::thread::hardware_concurrency()));
  EXPECT_EQ(ThreadPool(0).threads(), available_cores());
}

TEST(JobRunner, RunsJobsInOrderBehindTheCaller) {
  std::vector<uint64_t> ran;
  std::atomic<bool> go = false;
  JobRunner runner([&](uint64_t job) {
    while (!go) std::this_thread::yield();
    ran.push_back(job);
  });
  EXPECT_EQ(runner.finished(), 0u);
  for (uint64_t job = 1; job <= 5; ++job) EXPECT_EQ(runner.start(), job);  // returns although none can finish
  EXPECT_EQ(runner.finished(), 0u);
  go = true;
  runner.wait(5);
  EXPECT_EQ(runner.finished(), 5u);
  EXPECT_EQ(ran, (std::vector<uint64_t>{1, 2, 3, 4, 5}));
}

TEST(JobRunner, FinishesWhatWasStarted) {
  std::atomic<int> ran = 0;
  {
    JobRunner runner([&](uint64_t) { ++ran; });
    for (int i = 0; i < 10; ++i) runner.start();
  }
  EXPECT_EQ(ran, 10);
}

}  // namespace
}  // namespace tern
