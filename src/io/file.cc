#include "io/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef __wasi__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/byte_source.h"
#include "io/map_faults.h"
#include "io/text.h"

namespace tern::io {
namespace {

std::unexpected<Error> past_end(const std::string& name, uint64_t offset, uint64_t length, uint64_t size) {
  return fail(ErrorCode::kInvalidFile, "Bytes {} to {} of {} are wanted but it has {} bytes.", grouped(offset),
              grouped(offset + length), name, grouped(size));
}

class FileSource final : public ByteSource {
 public:
  FileSource(std::string name, int fd, const struct stat& status)
      : name_(std::move(name)), fd_(fd), size_(static_cast<uint64_t>(status.st_size)), modified_(status.st_mtim) {
#ifndef __wasi__
    // A file that cannot be mapped (some network file systems) is read with pread.
    void* map = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map != MAP_FAILED) map_ = static_cast<const std::byte*>(map);
    guard_ = MapGuard(mapped(), name_);
#endif
  }
  ~FileSource() override {
    guard_ = MapGuard();
#ifndef __wasi__
    if (map_) munmap(const_cast<std::byte*>(map_), size_);
#endif
    close(fd_);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  std::span<const std::byte> mapped() const override {
    return map_ ? std::span(map_, static_cast<size_t>(size_)) : std::span<const std::byte>();
  }

  Result<void> read(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size_ || out.size() > size_ - offset) return past_end(name_, offset, out.size(), size_);
    if (map_) {
      std::memcpy(out.data(), map_ + offset, out.size());
      return {};
    }
    while (!out.empty()) {
      const ssize_t n = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(ErrorCode::kIo, "Cannot read {}: {}.", name_, std::strerror(errno));
      if (n == 0) return fail(ErrorCode::kIo, "{} became shorter while it was read.", name_);
      out = out.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

  Result<void> check_unchanged() const override {
    struct stat now = {};
    if (fstat(fd_, &now) != 0) return fail(ErrorCode::kIo, "Cannot look at {}: {}.", name_, std::strerror(errno));
    const bool same = static_cast<uint64_t>(now.st_size) == size_ && now.st_mtim.tv_sec == modified_.tv_sec &&
                      now.st_mtim.tv_nsec == modified_.tv_nsec;
    if (same) return {};
    return fail(
        ErrorCode::kInvalidFile,
        "{} was changed while it was in use ({} bytes when it was opened, {} now), so what was computed from it "
        "cannot be trusted. A model file must stay as it is until the program ends.",
        name_, grouped(size_), grouped(static_cast<uint64_t>(now.st_size)));
  }

  uint64_t modified() const override {
    return static_cast<uint64_t>(modified_.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(modified_.tv_nsec);
  }

  void release(uint64_t offset, uint64_t length) const override {
#ifndef __wasi__
    if (!map_ || offset > size_ || length > size_ - offset) return;
    // Whole pages inside the range only: its neighbours may be in use.
    const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    const uint64_t begin = (offset + page - 1) / page * page;
    const uint64_t end = (offset + length) / page * page;
    if (begin < end) madvise(const_cast<std::byte*>(map_) + begin, end - begin, MADV_DONTNEED);
#else
    (void)offset, (void)length;
#endif
  }

  void will_need(uint64_t offset, uint64_t length) const override {
    if (map_ || offset > size_ || length > size_ - offset) return;
    posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
  }

 private:
  std::string name_;
  int fd_;
  uint64_t size_;
  struct timespec modified_;
  const std::byte* map_ = nullptr;
  MapGuard guard_;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::string name, std::vector<std::byte> bytes) : name_(std::move(name)), bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  const std::string& name() const override { return name_; }
  std::span<const std::byte> mapped() const override { return bytes_; }
  Result<void> read(uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      return past_end(name_, offset, out.size(), bytes_.size());
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  std::string name_;
  std::vector<std::byte> bytes_;
};

// O_NONBLOCK means nothing for files, but a pipe would keep open() waiting for somebody who writes to it.
#ifdef __wasi__
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC;
#else
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
#endif

std::unexpected<Error> cannot_open(const std::string& path) {
  if (errno == ENOENT || errno == ENOTDIR) {
    return fail(ErrorCode::kNotFound, "There is no file or folder {}.", path);
  }
  return fail(ErrorCode::kIo, "Cannot open {}: {}.", path, std::strerror(errno));
}

}  // namespace

Result<std::unique_ptr<ByteSource>> open_file(const std::string& path) {
  const int fd = open(path.c_str(), kOpenFlags);
  if (fd < 0) return cannot_open(path);
  struct stat status = {};
  std::string problem;
  if (fstat(fd, &status) != 0) {
    problem = fmt::format("Cannot open {}: {}.", path, std::strerror(errno));
  } else if (S_ISDIR(status.st_mode)) {
    problem = fmt::format("{} is a folder, expected a file.", path);
  } else if (!S_ISREG(status.st_mode)) {
    problem = fmt::format("{} is not a regular file (perhaps a pipe or a device), save it as a file first.", path);
  } else if (status.st_size == 0) {
    problem = fmt::format("{} is empty (0 bytes). The download probably failed.", path);
  }
  if (!problem.empty()) {
    close(fd);
    return fail(ErrorCode::kInvalidFile, "{}", problem);
  }
  return std::make_unique<FileSource>(base_name(path), fd, status);
}

std::unique_ptr<ByteSource> memory_source(std::string name, std::vector<std::byte> bytes) {
  return std::make_unique<MemorySource>(std::move(name), std::move(bytes));
}

bool is_directory(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_exists(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode);
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (!directory) return cannot_open(path);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(directory);
  std::ranges::sort(names);
  return names;
}

Result<void> make_directories(const std::string& path) {
  if (path == "." || path == "/" || is_directory(path)) return {};
  TRY(make_directories(parent_directory(path)));
  if (mkdir(path.c_str(), 0777) == 0 || is_directory(path)) return {};
  return fail(ErrorCode::kIo, "Cannot make the folder {}: {}.", path, std::strerror(errno));
}

std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1));
}

std::string parent_directory(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string join_path(std::string_view directory, std::string_view name) {
  return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name);
}

Result<std::string> read_text(const std::string& path, uint64_t limit, std::string_view what) {
  const auto source = TRY(open_file(path));
  if (source->size() > limit) {
    return fail(ErrorCode::kInvalidFile, "{} has {} bytes, at most {} are allowed for {}.", path,
                grouped(source->size()), grouped(limit), what);
  }
  std::string text(static_cast<size_t>(source->size()), '\0');
  TRY(source->read(0, std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace tern::io
