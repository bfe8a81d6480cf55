// What a file really is, whatever its name says.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "io/byte_source.h"

namespace tern::io {

enum class FileKind : uint8_t { kGguf, kSafetensors };

/// Errors: kInvalidFile or kUnsupported saying what the file is instead (a web page, a git-lfs pointer, a PyTorch
/// pickle ...) and what to do about it.
Result<FileKind> sniff(const ByteSource& source);

}  // namespace tern::io
