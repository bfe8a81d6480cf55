#include "backends/cpu/panel_source.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"

namespace tern::backends::cpu {

PanelSource::PanelSource(const PanelLayout& layout, WeightRows rows, std::byte* panels, ReleaseRows release)
    : layout_(layout),
      rows_(std::move(rows)),
      panels_(panels),
      release_(std::move(release)),
      made_(layout.panels()),
      left_(layout.panels()) {}

/// The rows of a panel may lie in several runs.
void PanelSource::make_panel(uint32_t panel, const PanelLayout& target, uint32_t at, std::byte* panels) const {
  const uint32_t row0 = layout_.first_row(panel), n = layout_.rows_of(panel);
  for (uint32_t done = 0; done < n;) {
    const WeightRows::Run& run = rows_.run_of(row0 + done);
    const uint32_t here = std::min(n - done, run.row0 + run.rows - (row0 + done));
    repack_rows(target, target.first_row(at) + done, here, rows_.row(row0 + done), panels);
    done += here;
  }
}

void PanelSource::make(uint32_t begin, uint32_t end) {
  constexpr uint64_t kBatch = uint64_t{4} << 20;  // bytes of the file that are given back at a time
  const auto batch = static_cast<uint32_t>(std::max<uint64_t>(1, kBatch / (kPanelRows * rows_.row_bytes)));
  for (uint32_t first = begin; first < end; first += batch) {
    const uint32_t last = std::min(end, first + batch);
    uint32_t made = 0;
    for (uint32_t panel = first; panel < last; ++panel) {
      if (made_[panel]) continue;
      make_panel(panel, layout_, panel, panels_);
      made_[panel] = 1;
      ++made;
    }
    if (made == 0) continue;
    const uint32_t row0 = layout_.first_row(first);
    const bool all = left_.fetch_sub(made, std::memory_order_acq_rel) == made;
    if (!release_) continue;
    // The pages that two batches share are given back in the end.
    all ? release_(0, layout_.rows) : release_(row0, layout_.first_row(last - 1) + layout_.rows_of(last - 1) - row0);
  }
}

void PanelSource::copy(uint32_t begin, uint32_t n, const PanelLayout& target, uint32_t at, std::byte* panels) const {
  // Lanes and columns that no row fills are zero in a weight's panels.
  const bool padded = layout_.rows_of(begin + n - 1) < kPanelRows || layout_.cols < layout_.padded_cols();
  for (uint32_t k0 = 0; padded && k0 < layout_.padded_cols(); k0 += layout_.shape.k_block) {
    std::memset(panels + target.offset(at, k0), 0, target.offset(at + n, k0) - target.offset(at, k0));
  }
  for (uint32_t i = 0; i < n; ++i) make_panel(begin + i, target, at + i, panels);
}

void PanelSource::decode_row(uint32_t row, std::span<float> out) const {
  rows_.decode(row, out);
  if (layout_.format != Format::kF16) return;
  for (float& x : out) x = bf16_to_f32(f32_to_bf16(x));
}

}  // namespace tern::backends::cpu
