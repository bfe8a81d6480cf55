#include "graph/params.h"

#include <algorithm>

namespace tern::graph {

ParamsLayout ParamsLayout::of(const PlanKey& key) {
  ParamsLayout out{};
  out.tokens = kHeader;
  out.positions = out.tokens + key.max_tokens;
  out.sequences = out.positions + key.max_tokens;
  out.seqs = out.sequences + key.max_tokens;
  out.rows = out.seqs + key.max_seqs * kSequence;
  out.samples = out.rows + key.max_rows;
  out.pages = out.samples + key.max_rows * kSample;
  out.words = out.pages + key.max_pages;
  return out;
}

StepCounts count(const StepParams& step) {
  StepCounts out{static_cast<uint32_t>(step.tokens.size()), static_cast<uint32_t>(step.rows.size()),
                 static_cast<uint32_t>(step.seqs.size()), 0};
  for (const StepSequence& seq : step.seqs) out.max_kv = std::max(out.max_kv, seq.kv_len);
  return out;
}

std::span<const uint32_t> write_params(const ParamsLayout& layout, const StepParams& step, std::span<uint32_t> out) {
  ASSERT(out.size() == layout.words && layout.pages + step.page_table.size() <= layout.words);
  const StepCounts n = count(step);
  std::ranges::fill(out.first(ParamsLayout::kHeader), 0);
  out[0] = n.t;
  out[1] = n.r;
  out[2] = n.s;
  out[3] = n.max_kv;
  out[4] = static_cast<uint32_t>(step.page_table.size());
  std::ranges::transform(step.tokens, out.begin() + layout.tokens,
                         [](int32_t id) { return static_cast<uint32_t>(id); });
  std::ranges::copy(step.positions, out.begin() + layout.positions);
  std::ranges::copy(step.sequences, out.begin() + layout.sequences);
  for (size_t s = 0; s < step.seqs.size(); ++s) {
    const std::span<uint32_t> record = out.subspan(layout.seqs + s * ParamsLayout::kSequence, ParamsLayout::kSequence);
    std::ranges::fill(record, 0);
    record[0] = step.seqs[s].kv_len;
    record[1] = step.seqs[s].first_page;
  }
  std::ranges::copy(step.rows, out.begin() + layout.rows);
  std::ranges::copy(step.page_table, out.begin() + layout.pages);
  return out.first(layout.pages + step.page_table.size());
}

}  // namespace tern::graph
