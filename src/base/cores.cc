#include "base/cores.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#ifndef __wasi__
#include <thread>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#ifdef __wasm_atomics__
/// Threads that JavaScript allows, the caller included.
extern "C" __attribute__((import_module("tern_host"), import_name("cores"))) uint32_t tern_host_cores();
#endif

namespace tern {

namespace {

/// The file's first two numbers, as many as there are. "max" (no limit) is none.
int read_numbers(const std::string& path, double& first, double& second) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (!file) return 0;
  const int found = std::fscanf(file, "%lf %lf", &first, &second);
  std::fclose(file);
  return std::max(0, found);
}

/// Cores that one group's own limit allows; infinity where it has none.
double group_limit(const std::string& folder) {
  double quota = 0, period = 0, unused = 0;
  const bool v2 = read_numbers(folder + "/cpu.max", quota, period) == 2;  // "150000 100000"
  const bool v1 = !v2 && read_numbers(folder + "/cpu.cfs_quota_us", quota, unused) >= 1 &&
                  read_numbers(folder + "/cpu.cfs_period_us", period, unused) >= 1;
  return (v2 || v1) && quota > 0 && period > 0 ? quota / period : INFINITY;
}

/// The smallest limit of the group `path` below `root` and of all groups above it.
double hierarchy_limit(const std::string& root, std::string path) {
  double limit = group_limit(root);
  while (path.size() > 1) {
    limit = std::min(limit, group_limit(root + path));
    path.resize(path.rfind('/'));
  }
  return limit;
}

bool names_cpu(std::string controllers) {
  controllers = "," + controllers + ",";
  return controllers.find(",cpu,") != std::string::npos;
}

#ifndef __wasi__
std::string read_all(const char* path) {
  std::string text;
  std::FILE* file = std::fopen(path, "r");
  if (!file) return text;
  char buffer[1024];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
  std::fclose(file);
  return text;
}
#endif

}  // namespace

uint32_t cgroup_cores(const std::string& root, const std::string& self) {
  double limit = std::min(group_limit(root), group_limit(root + "/cpu"));
  for (size_t at = 0; at < self.size();) {  // lines "0::/path" (v2) and "4:cpu,cpuacct:/path" (v1)
    const size_t end = std::min(self.find('\n', at), self.size());
    const std::string line = self.substr(at, end - at);
    at = end + 1;
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos || line.compare(second + 1, 1, "/") != 0) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) limit = std::min(limit, hierarchy_limit(root, path));
    if (names_cpu(controllers)) limit = std::min(limit, hierarchy_limit(root + "/cpu", path));
  }
  return std::isfinite(limit) ? static_cast<uint32_t>(std::clamp(std::ceil(limit), 1.0, 1e6)) : 0;
}

uint32_t available_cores() {
#ifdef __wasm_atomics__
  return std::max(1u, tern_host_cores());
#elif defined(__wasi__)
  return 1;
#else
  uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
#ifdef __linux__
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) cores = static_cast<uint32_t>(std::max(1, CPU_COUNT(&mask)));
#endif
  const uint32_t quota = cgroup_cores("/sys/fs/cgroup", read_all("/proc/self/cgroup"));
  return quota == 0 ? cores : std::min(cores, quota);
#endif
}

}  // namespace tern
