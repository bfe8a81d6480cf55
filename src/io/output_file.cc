#include "io/output_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tern::io {
namespace {

bool is_special(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

}  // namespace

OutputFile::File::~File() {
  if (!handle) return;
  std::fclose(handle);
  if (partial != path) std::remove(partial.c_str());
}

Result<OutputFile> OutputFile::create(const std::string& path) {
  auto file = std::make_unique<File>();
  file->path = path;
  file->partial = is_special(path) ? path : path + ".partial";
  file->handle = std::fopen(file->partial.c_str(), "wb");
  if (!file->handle) return fail(ErrorCode::kIo, "Cannot create {}: {}.", path, std::strerror(errno));
  return OutputFile(std::move(file));
}

Result<void> OutputFile::write(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_->handle) == bytes.size()) return {};
  return fail(ErrorCode::kIo, "Cannot write {}: {}. Is the disk full?", file_->partial, std::strerror(errno));
}

Result<void> OutputFile::finish() {
  const bool closed = std::fclose(std::exchange(file_->handle, nullptr)) == 0;
  const bool in_place = file_->partial == file_->path;
  if (closed && (in_place || std::rename(file_->partial.c_str(), file_->path.c_str()) == 0)) return {};
  const int error = errno;
  if (!in_place) std::remove(file_->partial.c_str());
  return fail(ErrorCode::kIo, "Cannot finish {}: {}.", file_->path, std::strerror(error));
}

}  // namespace tern::io
