// Weights from the file's layout to the planes of a GPU, one thread: bytes of the file a second.
#include <benchmark/benchmark.h>

#include <vector>

#include "backends/webgpu/repack.h"

namespace {

using namespace tern;

void repack(benchmark::State& state, Format format) {
  constexpr uint32_t kRows = 64, kCols = 4096;
  const graph::Weight weight{
      .name = "w", .format = format, .rows = kRows, .cols = kCols, .slices = {{0, 0, kRows}}, .constant = {}};
  const auto layout = backends::webgpu::PlaneLayout::of(weight);
  const uint64_t row_bytes = formats::row_bytes(format, kCols).value_or(0);
  std::vector<std::byte> rows(kRows * row_bytes), codes(kRows * layout.row_bytes);
  std::vector<std::byte> scales(size_t{kRows} * layout.row_scales * layout.scale_bytes);
  for (uint32_t r = 0; r < kRows; ++r) formats::random_row(format, r, 0.1f, kCols, rows.data() + r * row_bytes);
  for (auto _ : state) {
    backends::webgpu::repack_rows(weight, layout, rows.data(), kRows, codes.data(), scales.data());
    benchmark::DoNotOptimize(codes.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * rows.size()));
}

const bool registered = [] {
  for (const FormatInfo& format : formats::all()) {
    benchmark::RegisterBenchmark(("repack/" + std::string(format.name)).c_str(), repack, format.id);
  }
  return true;
}();

}  // namespace
