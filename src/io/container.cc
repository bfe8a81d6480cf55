#include "io/container.h"

#ifdef __wasi__

// A module has the memory that JavaScript gives it, and its libc no file streams.
std::optional<uint64_t> tern::io::container_memory_limit(const std::string&, const std::string&) {
  return std::nullopt;
}

#else

#include <charconv>
#include <fstream>
#include <string_view>

#include "io/file.h"

namespace tern::io {
namespace {

/// Version 1 writes "no limit" as 2^63 rounded down to pages; version 2 writes "max", which is no number.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;

void take_least(std::optional<uint64_t>& least, const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!std::getline(file, text)) return;
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || bytes >= kNoLimit) return;
  if (!least || bytes < *least) least = bytes;
}

}  // namespace

std::optional<uint64_t> container_memory_limit(const std::string& groups, const std::string& root) {
  std::optional<uint64_t> least;
  std::ifstream file(groups);
  for (std::string line; std::getline(file, line);) {  // "0::/user.slice/a.scope" or "7:memory:/a"
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && controllers != "memory") continue;
    const std::string folder = v2 ? root : join_path(root, "memory");
    const char* name = v2 ? "memory.max" : "memory.limit_in_bytes";
    // From the group outwards; a container may see only the end of its path, so the root is always looked at.
    for (std::string group = line.substr(second + 1);; group = parent_directory(group)) {
      if (group.empty() || group == "/" || group == ".") break;
      take_least(least, join_path(folder + group, name));
    }
    take_least(least, join_path(folder, name));
  }
  return least;
}

}  // namespace tern::io

#endif
