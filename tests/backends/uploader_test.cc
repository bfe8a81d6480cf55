// Rows reach a device's buffer as planes, in whatever ranges they come and however many threads repack them.
#include "backends/webgpu/uploader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <mutex>

namespace tern::backends::webgpu {
namespace {

/// Keeps what is written to its one buffer; refuses writes that WebGPU would.
struct MemoryDevice final : Device {
  graph::Target facts;
  std::vector<std::byte> memory;
  std::mutex lock;
  bool refuses = false;

  const graph::Target& target() const override { return facts; }
  Result<uint32_t> alloc(uint64_t) override { return 0; }
  Result<void> write(uint32_t, uint64_t offset, std::span<const std::byte> data) override {
    const std::lock_guard guard(lock);
    if (refuses) return fail(ErrorCode::kOutOfMemory, "There is no memory left.");
    EXPECT_EQ(offset % 4, 0u);
    EXPECT_EQ(data.size() % 4, 0u);
    if (offset + data.size() > memory.size()) return fail(ErrorCode::kInternal, "A write is beyond the buffer.");
    std::memcpy(memory.data() + offset, data.data(), data.size());
    return {};
  }
  void free(uint32_t) override {}
  Result<uint32_t> load(std::span<const uint32_t>, std::span<const uint32_t>, std::span<const uint32_t>,
                        std::span<const uint32_t>) override {
    return 0;
  }
  void unload(uint32_t) override {}
  Result<uint64_t> submit(uint32_t, const graph::StepCounts&, std::span<const std::byte>, uint32_t) override {
    return 1;
  }
  Result<Poll> poll(uint64_t, uint32_t, std::span<std::byte>) override { return Poll::kReady; }
  void wait(uint64_t) override {}
};

class UploaderOf : public testing::TestWithParam<FormatInfo> {};

TEST_P(UploaderOf, LaysRowsWhereTheirPlanesAre) {
  constexpr uint32_t kRows = 701, kCols = 4096;  // pieces of a megabyte end inside
  const Format format = GetParam().id;
  const uint64_t row_bytes = *formats::row_bytes(format, kCols);
  std::vector<std::byte> rows(kRows * row_bytes);
  for (uint32_t r = 0; r < kRows; ++r) formats::random_row(format, r, 0.5f, kCols, rows.data() + r * row_bytes);
  const graph::Weight weight{
      .name = "w", .format = format, .rows = kRows, .cols = kCols, .slices = {{0, 0, kRows}}, .constant = {}};
  const PlaneLayout layout = PlaneLayout::of(weight);
  MemoryDevice device;
  device.memory.resize(layout.bytes);
  Uploader uploader(device, 3);
  constexpr uint32_t kFirst = 13;
  const std::span<const std::byte> all(rows);
  ASSERT_TRUE(uploader.upload(weight, 0, 0, all.first(kFirst * row_bytes)));
  ASSERT_TRUE(uploader.upload(weight, 0, kFirst, all.subspan(kFirst * row_bytes)));

  const size_t codes = size_t{kRows} * layout.row_bytes;
  const PackedRows packed{
      {device.memory.begin(), device.memory.begin() + static_cast<ptrdiff_t>(codes)},
      {device.memory.begin() + static_cast<ptrdiff_t>(layout.scales % layout.bytes), device.memory.end()}};
  for (const uint32_t r : {0u, 12u, 13u, 350u, 700u}) {
    std::vector<float> expected(kCols), got(kCols);
    formats::decode_row(format, rows.data() + r * row_bytes, expected);
    decode_planes(layout, packed, r, got);
    float largest = 0, wrong = 0;
    for (uint32_t k = 0; k < kCols; ++k) {
      largest = std::max(largest, std::abs(expected[k]));
      wrong = std::max(wrong, std::abs(got[k] - expected[k]));
    }
    EXPECT_LE(wrong, 4 * largest * 0x1p-11f) << "row " << r;  // as in planes_test.cc
  }
}

TEST_P(UploaderOf, SaysWhatIsWrong) {
  const uint64_t row_bytes = *formats::row_bytes(GetParam().id, 768);
  const graph::Weight weight{
      .name = "w", .format = GetParam().id, .rows = 2, .cols = 768, .slices = {{0, 0, 2}}, .constant = {}};
  std::vector<std::byte> rows(2 * row_bytes);
  MemoryDevice device;
  device.memory.resize(PlaneLayout::of(weight).bytes);
  Uploader uploader(device, 2);
  EXPECT_FALSE(uploader.upload(weight, 0, 0, std::span(rows).first(row_bytes + 1)));
  EXPECT_FALSE(uploader.upload(weight, 0, 1, rows));
  EXPECT_FALSE(uploader.upload(weight, 0, UINT32_MAX, rows));
  device.refuses = true;
  EXPECT_FALSE(uploader.upload(weight, 0, 0, rows));
  device.refuses = false;
  EXPECT_TRUE(uploader.upload(weight, 0, 0, rows)) << "an error is of its own call alone";
}

INSTANTIATE_TEST_SUITE_P(Formats, UploaderOf, testing::ValuesIn(formats::all().begin(), formats::all().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace tern::backends::webgpu
