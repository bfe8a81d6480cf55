// A mapped file that becomes shorter, or whose disk fails, turns a read of memory into SIGBUS. For the maps of
// open_file() a program may ask for a message and an exit code instead of a crash; for all other memory nothing
// changes.
//
// This is the one place with mutable global state: a signal handler can be given nothing else. The message is made when
// the file is mapped, and the handler only looks it up, writes it and ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tern::io {

/// From now on a fault in a mapped file ends the process with `exit_code` and one line on stderr. Call it once, at
/// start.
void exit_on_map_faults(int exit_code);

/// A mapped file while it is mapped. Beyond 4096 at a time (a model has some dozens of parts) faults stay crashes.
class MapGuard {
 public:
  MapGuard() = default;
  MapGuard(std::span<const std::byte> map, std::string_view file_name);
  ~MapGuard();
  MapGuard(const MapGuard&) = delete;
  MapGuard& operator=(const MapGuard&) = delete;
  MapGuard& operator=(MapGuard&& other) noexcept;

 private:
  int32_t slot_ = -1;
};

}  // namespace tern::io
