// Composing WGSL: constants, then kernel files one after the other. A file may say
//     $for i N
//     ... $i$ ...
//     $end
// which is repeated for i = 0 .. N-1 (N: a number or a u32 constant), because arrays that are indexed in loops are slow
// under bounds checks. There is no other preprocessing: a variant is another file that defines the same function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tern::backends::webgpu {

/// A kernel file, embedded by CMake from kernels/<name>.wgsl.
struct KernelFile {
  std::string_view name, text;
};

/// The constants of a shader, in the order in which they were added.
class Constants {
 public:
  void add(std::string_view name, uint32_t value);
  void add(std::string_view name, float value);  // finite

  struct Entry {
    std::string name, text;
    uint32_t count;  // 0 for a float
  };
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

/// Text of the files with loops unrolled. `features`: lines such as "enable subgroups;" that come first.
/// Errors: kInternal when a file or a constant is missing, or a loop has no end: our own mistakes, found by tests.
Result<std::string> compose(const std::vector<std::string_view>& files, const Constants& constants,
                            std::string_view features = "");

}  // namespace tern::backends::webgpu
