// Files and folders of the operating system, with errors a user can act on. open_file() is in byte_source.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tern::io {

bool is_directory(const std::string& path);
bool file_exists(const std::string& path);

/// Names (without the path) of a folder's entries, sorted. Errors: kNotFound, kIo.
Result<std::vector<std::string>> list_directory(const std::string& path);

/// A folder and those around it, as far as they are missing. Errors: kIo.
Result<void> make_directories(const std::string& path);

/// "a/b.gguf" -> "b.gguf".
std::string base_name(std::string_view path);
/// "a/b.gguf" -> "a", "b.gguf" -> ".".
std::string parent_directory(std::string_view path);
std::string join_path(std::string_view directory, std::string_view name);

/// The whole of a text file. Errors: those of open_file, and kInvalidFile when it is larger than `limit` bytes.
/// `what` names the content in the message ("a configuration").
Result<std::string> read_text(const std::string& path, uint64_t limit, std::string_view what);

}  // namespace tern::io
