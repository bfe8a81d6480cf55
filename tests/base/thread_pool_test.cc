#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
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

/// Whoever runs the loop's first range waits there for all others to be done, its own among them.
TEST(ThreadPool, RangesOfABusyWorkerAreTakenOver) {
  for (const uint32_t threads : {2u, 3u}) {
    ThreadPool pool(threads);
    constexpr size_t kItems = 48;
    std::atomic<size_t> rest = 0;
    pool.parallel_for(kItems, 1, [&](size_t begin, size_t end, uint32_t) {
      if (begin > 0) rest += end - begin;
      while (begin == 0 && rest < kItems - end) std::this_thread::yield();
    });
    EXPECT_EQ(rest, kItems - kItems / (4 * threads));
  }
}

TEST(ThreadPool, IdleWorkersSleepInTheKernel) {
  ThreadPool pool(5);
  EXPECT_EQ(ThreadPool(1).sleeping(), 0u);
  for (int round = 0; round < 3; ++round) {
    expect_all_visited(pool, 100, 1);
    while (pool.sleeping() < 4) std::this_thread::yield();  // for ever if one of them spins
  }
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

TEST(ThreadPool, TheAffinityMaskCounts) {
#ifdef __linux__
  std::thread([] {
    cpu_set_t mask;
    ASSERT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
    int first = 0;
    while (!CPU_ISSET(first, &mask)) ++first;
    CPU_ZERO(&mask);
    CPU_SET(first, &mask);
    ASSERT_EQ(sched_setaffinity(0, sizeof mask, &mask), 0);
    EXPECT_EQ(available_cores(), 1u);
    ThreadPool pool(3);  // three threads on one core: slow but right
    for (int i = 0; i < 20; ++i) expect_all_visited(pool, 100, 1);
  }).join();
#endif
}

void write(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// The files as the kernel's documentation describes them.
TEST(Cores, QuotaOfTheControlGroup) {
  const std::filesystem::path root = std::filesystem::path(testing::TempDir()) / "tern_cgroup";
  std::filesystem::remove_all(root);
  const std::string v2 = "0::/user.slice/job\n";
  EXPECT_EQ(cgroup_cores(root, v2), 0u);
  write(root / "user.slice/job/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cores(root, v2), 0u);
  write(root / "user.slice/job/cpu.max", "350000 100000\n");
  EXPECT_EQ(cgroup_cores(root, v2), 4u);  // three and a half
  write(root / "user.slice/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_cores(root, v2), 2u);  // the group above allows less
  write(root / "cpu.max", "20000 100000\n");
  EXPECT_EQ(cgroup_cores(root, v2), 1u);  // a container sees its own group as the root
  EXPECT_EQ(cgroup_cores(root, "garbage\n::\n0:\n"), 1u);
  std::filesystem::remove_all(root);

  const std::string v1 = "5:memory:/a\n4:cpuacct,cpu:/docker/x\n3:cpuset:/b";
  write(root / "cpu/docker/x/cpu.cfs_quota_us", "-1\n");
  write(root / "cpu/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cores(root, v1), 0u);
  write(root / "cpu/docker/x/cpu.cfs_quota_us", "200000\n");
  EXPECT_EQ(cgroup_cores(root, v1), 2u);
  write(root / "cpu/cpu.cfs_quota_us", "100000\n");
  write(root / "cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cores(root, v1), 1u);
  std::filesystem::remove_all(root);
}

TEST(JobRunner, WhoWaitsRunsTheJob) {
  std::thread::id ran_on;
  JobRunner runner([&](uint64_t) { ran_on = std::this_thread::get_id(); });
  for (int i = 0; i < 100; ++i) {
    runner.wait(runner.start());
    EXPECT_EQ(ran_on, std::this_thread::get_id());
  }
}

TEST(JobRunner, WhoAsksGetsItDoneElsewhere) {
  std::atomic<std::thread::id> ran_on;
  JobRunner runner([&](uint64_t) { ran_on = std::this_thread::get_id(); });
  for (int i = 0; i < 100; ++i) {
    const uint64_t job = runner.start();
    while (!runner.done(job)) std::this_thread::yield();
    EXPECT_NE(ran_on.load(), std::this_thread::get_id());
    runner.wait(runner.start());
  }
}

TEST(JobRunner, WaitAndThreadTakeTurns) {
  uint64_t last = 0;  // no atomic: the jobs follow each other
  JobRunner runner([&](uint64_t job) {
    ASSERT_EQ(job, last + 1);
    last = job;
  });
  for (int i = 0; i < 2000; ++i) {
    const uint64_t job = runner.start();
    if (i % 3 == 0) runner.done(job);
    if (i % 2 == 0) runner.wait(job);
  }
  runner.wait(UINT64_MAX);  // no more than was started
  EXPECT_EQ(runner.finished(), 2000u);
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
