// What a container allows: Linux control groups, version 2 and 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tern::io {

/// The least memory limit in bytes of this process's control group and of those around it; nullopt without one, and
/// where there are no control groups. The paths are for tests. Source: Linux, Documentation/admin-guide/cgroup-v2.rst
/// ("memory.max") and cgroup-v1/memory.rst.
std::optional<uint64_t> container_memory_limit(const std::string& groups = "/proc/self/cgroup",
                                               const std::string& root = "/sys/fs/cgroup");

}  // namespace tern::io
