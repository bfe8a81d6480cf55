// Weights reach a backend as the rows that their slices name, imported in place or uploaded in ranges.
#include "engine/weights.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "scripted_backend.h"

namespace tern::engine {
namespace {

using Bytes = std::vector<std::byte>;

/// Keeps what it is given.
struct RecordingBackend : ScriptedBackend {
  graph::Target facts;
  uint64_t extra_bytes = 0;  // a layout of its own that takes more room than the file's
  std::map<uint32_t, Bytes> memory;
  std::map<uint32_t, std::vector<size_t>> pieces;  // sizes, of imported buffers
  uint32_t uploads = 0;

  const graph::Target& target() const override { return facts; }
  bool uses_file_layout(const graph::Plan&, uint32_t) const override {
    return facts.imports_host_memory && extra_bytes == 0;
  }
  uint64_t weight_bytes(const graph::Plan& plan, uint32_t weight) const override {
    const graph::Weight& w = plan.weights[weight];
    return w.rows * formats::row_bytes(w.format, w.cols).value() + extra_bytes;
  }
  Result<backends::Buffer> alloc(uint64_t bytes, backends::Usage usage) override {
    const auto buffer = TRY(ScriptedBackend::alloc(bytes, usage));
    memory[buffer.id].resize(bytes);
    return buffer;
  }
  Result<backends::Buffer> import_host(std::span<const std::span<const std::byte>> parts) override {
    const auto buffer = TRY(ScriptedBackend::alloc(0, backends::Usage::kWeight));
    for (const auto part : parts) {
      memory[buffer.id].insert(memory[buffer.id].end(), part.begin(), part.end());
      pieces[buffer.id].push_back(part.size());
    }
    return buffer;
  }
  Result<void> upload_rows(const graph::Plan& plan, uint32_t weight, backends::Buffer buffer, uint32_t row0,
                           std::span<const std::byte> rows) override {
    const graph::Weight& w = plan.weights[weight];
    const uint64_t row_bytes = formats::row_bytes(w.format, w.cols).value();
    EXPECT_EQ(rows.size() % row_bytes, 0u);
    EXPECT_LE(row0 * row_bytes + rows.size(), w.rows * row_bytes);
    std::memcpy(memory[buffer.id].data() + row0 * row_bytes, rows.data(), rows.size());
    uploads++;
    return {};
  }
};

/// Bytes that cannot be mapped, as a browser's; counts what was given back.
struct UnmappedSource : io::ByteSource {
  Bytes bytes;
  std::string label = "unmapped";
  mutable uint64_t largest_read = 0;
  uint64_t size() const override { return bytes.size(); }
  const std::string& name() const override { return label; }
  Result<void> read(uint64_t offset, std::span<std::byte> out) const override {
    largest_read = std::max<uint64_t>(largest_read, out.size());
    std::memcpy(out.data(), bytes.data() + offset, out.size());
    return {};
  }
};

struct Files {
  io::WeightIndex index;
  Bytes bytes;  // of the one source
  const UnmappedSource* unmapped = nullptr;

  /// f16 tensors: a [4, 3], b [6, 3] right behind it, v [5], w [7].
  explicit Files(bool mapped) {
    bytes.resize(2 * (12 + 18 + 5 + 7));
    for (size_t i = 0; i < bytes.size(); i++) bytes[i] = std::byte(i);
    if (mapped) {
      index.add_source(io::memory_source("memory", bytes));
    } else {
      auto source = std::make_unique<UnmappedSource>();
      source->bytes = bytes;
      unmapped = source.get();
      index.add_source(std::move(source));
    }
    uint64_t offset = 0;
    const auto add = [&](const char* name, std::vector<uint64_t> shape) {
      uint64_t length = 2;
      for (uint64_t n : shape) length *= n;
      EXPECT_TRUE(index.add_tensor(
          {.name = name, .format = Format::kF16, .shape = std::move(shape), .offset = offset, .length = length}));
      offset += length;
    };
    add("a", {4, 3});
    add("b", {6, 3});
    add("v", {5});
    add("w", {7});
  }
  Bytes slice(size_t begin, size_t n) const { return {bytes.begin() + begin, bytes.begin() + begin + n}; }
};

graph::Weight weight(uint32_t rows, uint32_t cols, std::vector<graph::WeightSlice> slices) {
  return {.name = "w", .format = Format::kF16, .rows = rows, .cols = cols, .slices = std::move(slices)};
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Expected {
  graph::Weight weight;
  Bytes bytes;
  std::vector<size_t> pieces;
};

std::vector<Expected> cases(const Files& files) {
  return {
      {weight(4, 3, {{0, 0, 4}}), files.slice(0, 24), {24}},
      {weight(2, 3, {{1, 3, 2}}), files.slice(24 + 18, 12), {12}},
      {weight(10, 3, {{0, 0, 4}, {1, 0, 6}}), files.slice(0, 60), {60}},  // adjacent: one piece
      {weight(7, 3, {{1, 4, 2}, {0, 0, 4}, {1, 0, 1}}),
       files.slice(24 + 24, 12) + files.slice(0, 24) + files.slice(24, 6),
       {12, 30}},
      {weight(1, 5, {{2, 0, 1}}), files.slice(60, 10), {10}},
      // A column weight: elements of vectors.
      {weight(4, 1, {{3, 5, 2}, {2, 1, 2}}), files.slice(70 + 10, 4) + files.slice(60 + 2, 4), {4, 4}},
  };
}

TEST(PlaceWeights, ImportsMappedRowsAsPieces) {
  const Files files(true);
  RecordingBackend backend;
  backend.facts.imports_host_memory = true;
  graph::Plan plan;
  for (const Expected& c : cases(files)) plan.weights.push_back(c.weight);
  const auto buffers = place_weights(plan, files.index, backend, {});
  ASSERT_TRUE(buffers) << buffers.error().to_string();
  for (size_t i = 0; i < plan.weights.size(); i++) {
    EXPECT_EQ(backend.memory[(*buffers)[i].id], cases(files)[i].bytes) << i;
    EXPECT_EQ(backend.pieces[(*buffers)[i].id], cases(files)[i].pieces) << i;
  }
  EXPECT_EQ(backend.uploads, 0u);
}

TEST(PlaceWeights, UploadsTheSameRowsWhereItCannotImport) {
  for (const bool mapped : {true, false}) {
    for (const bool imports : {true, false}) {
      const Files files(mapped);
      RecordingBackend backend;
      backend.facts.imports_host_memory = imports;
      backend.extra_bytes = 2;
      graph::Plan plan;
      for (const Expected& c : cases(files)) plan.weights.push_back(c.weight);
      const auto buffers = place_weights(plan, files.index, backend, {});
      ASSERT_TRUE(buffers) << buffers.error().to_string();
      EXPECT_TRUE(backend.pieces.empty());
      for (size_t i = 0; i < plan.weights.size(); i++) {
        Bytes found = backend.memory[(*buffers)[i].id];
        found.resize(found.size() - 2);
        EXPECT_EQ(found, cases(files)[i].bytes) << i;
      }
    }
  }
}

TEST(PlaceWeights, ConstantsGoUpAsF32) {
  const Files files(true);
  RecordingBackend backend;
  backend.facts.imports_host_memory = true;
  graph::Plan plan;
  plan.weights.push_back({.name = "freqs", .format = Format::kF32, .rows = 1, .cols = 2, .constant = {1.f, -2.f}});
  const auto buffers = place_weights(plan, files.index, backend, {});
  ASSERT_TRUE(buffers);
  const float values[] = {1, -2};
  EXPECT_EQ(std::memcmp(backend.memory[(*buffers)[0].id].data(), values, sizeof values), 0);
}

TEST(PlaceWeights, ReadsLargeTensorsInRangesAndReportsProgress) {
  io::WeightIndex index;
  auto source = std::make_unique<UnmappedSource>();
  const UnmappedSource& watched = *source;
  source->bytes.resize(24 << 20);
  for (size_t i = 0; i < source->bytes.size(); i += 4096) source->bytes[i] = std::byte(i >> 12);
  index.add_source(std::move(source));
  const uint32_t rows = 6 << 10, cols = 2048;
  ASSERT_TRUE(index.add_tensor(
      {.name = "big", .format = Format::kF16, .shape = {rows, cols}, .offset = 0, .length = watched.bytes.size()}));
  graph::Plan plan;
  plan.weights.push_back(weight(rows, cols, {{0, 0, rows}}));
  RecordingBackend backend;
  std::vector<uint64_t> progress;
  const auto buffers = place_weights(plan, index, backend, [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, watched.bytes.size());
    progress.push_back(done);
  });
  ASSERT_TRUE(buffers);
  EXPECT_EQ(backend.memory[(*buffers)[0].id], watched.bytes);
  EXPECT_LE(watched.largest_read, 4u << 20);
  EXPECT_TRUE(std::ranges::is_sorted(progress));
  EXPECT_GE(progress.size(), 6u);
  EXPECT_EQ(progress.back(), watched.bytes.size());
}

TEST(PlaceWeights, SlicesThatTheFilesDoNotHaveAreRefused) {
  const Files files(true);
  for (const graph::Weight& bad : {
           weight(1, 3, {{9, 0, 1}}),           // no such tensor
           weight(2, 3, {{0, 3, 2}}),           // past the end
           weight(1, 3, {{0, UINT32_MAX, 1}}),  // the same, when sums wrap
           weight(1, 4, {{0, 0, 1}}),           // other columns
           weight(3, 3, {{0, 0, 2}}),           // rows that no slice gives
           weight(6, 1, {{2, 0, 6}}),           // more elements than the vector has
       }) {
    RecordingBackend backend;
    graph::Plan plan;
    plan.weights.push_back(bad);
    EXPECT_FALSE(place_weights(plan, files.index, backend, {}));
  }
}

}  // namespace
}  // namespace tern::engine
