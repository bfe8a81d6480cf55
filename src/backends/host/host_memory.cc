#include "backends/host/host_memory.h"

#include <cstdlib>

#include "base/pages.h"

namespace tern::backends {

namespace {
constexpr uint64_t kCacheLine = 64;
constexpr uint64_t kLarge = uint64_t{1} << 18;  // bytes of a block that gets pages of its own
}  // namespace

void HostBlock::Free::operator()(void* p) const {
  mapped > 0 ? unmap_pages(p, mapped) : std::free(p);
}

Result<HostBlock> HostBlock::make(uint64_t bytes, std::string_view what) {
  HostBlock block;
  if (bytes >= kLarge && bytes <= SIZE_MAX - kCacheLine) {
    const auto size = static_cast<size_t>(bytes);
    if (void* pages = map_pages(size)) {
      block.owner_ = std::unique_ptr<void, Free>(pages, Free{size});
      block.bytes_ = {static_cast<std::byte*>(pages), size};
      return block;
    }
  }
  // calloc, because it takes fresh pages from the system without touching them, and reports failure as a value.
  void* memory = bytes <= SIZE_MAX - kCacheLine ? std::calloc(1, static_cast<size_t>(bytes + kCacheLine)) : nullptr;
  if (!memory) return fail(ErrorCode::kOutOfMemory, "There is no memory for {}: {} bytes are needed.", what, bytes);
  const uintptr_t start = (reinterpret_cast<uintptr_t>(memory) + kCacheLine - 1) / kCacheLine * kCacheLine;
  block.owner_.reset(memory);
  block.bytes_ = {reinterpret_cast<std::byte*>(start), static_cast<size_t>(bytes)};
  return block;
}

Result<Buffer> HostMemory::alloc(uint64_t bytes) {
  Entry entry;
  entry.block = TRY(HostBlock::make(bytes, "a buffer"));
  entry.pieces.push_back(entry.block.bytes());
  return add(std::move(entry));
}

Result<Buffer> HostMemory::import(std::span<const std::span<const std::byte>> pieces) {
  Entry entry;
  entry.pieces.assign(pieces.begin(), pieces.end());
  return add(std::move(entry));
}

Result<Buffer> HostMemory::add(Entry entry) {
  entry.used = true;
  for (uint32_t id = 0; id < entries_.size(); ++id) {
    if (entries_[id].used) continue;
    entries_[id] = std::move(entry);
    return Buffer{id};
  }
  entries_.push_back(std::move(entry));
  return Buffer{static_cast<uint32_t>(entries_.size() - 1)};
}

void HostMemory::free(Buffer buffer) {
  if (buffer.id < entries_.size()) entries_[buffer.id] = Entry{};
}

Result<const HostMemory::Entry*> HostMemory::find(Buffer buffer) const {
  if (buffer.id >= entries_.size() || !entries_[buffer.id].used) {
    return fail(ErrorCode::kInvalidArgument, "There is no buffer {}.", buffer.id);
  }
  return &entries_[buffer.id];
}

Result<std::span<const std::span<const std::byte>>> HostMemory::pieces(Buffer buffer) const {
  return std::span<const std::span<const std::byte>>(TRY(find(buffer))->pieces);
}

Result<std::span<std::byte>> HostMemory::writable(Buffer buffer) const {
  const Entry* entry = TRY(find(buffer));
  if (!entry->block.bytes().data()) {
    return fail(ErrorCode::kInvalidArgument, "Buffer {} is imported host memory, which is never written.", buffer.id);
  }
  return entry->block.bytes();
}

}  // namespace tern::backends
