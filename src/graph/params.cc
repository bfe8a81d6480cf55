#include "graph/params.h"

#include <algorithm>
#include <array>
#include <bit>

namespace tern::graph {

ParamsLayout ParamsLayout::of(const PlanKey& key, uint32_t vocab) {
  ParamsLayout out{};
  out.tokens = kHeader;
  out.positions = out.tokens + key.max_tokens;
  out.sequences = out.positions + key.max_tokens;
  out.seqs = out.sequences + key.max_tokens;
  out.rows = out.seqs + key.max_seqs * kSequence;
  out.pools = out.rows + key.max_rows;
  out.samples = out.pools + key.max_seqs * kPool;
  out.pages = out.samples + key.max_rows * kSample;
  out.mask_words = vocab / 32 + (vocab % 32 != 0);
  out.words = out.pages + key.max_pages + (vocab == 0 ? 0 : key.max_rows * (kMaxRecent + out.mask_words));
  return out;
}

StepCounts count(const StepParams& step) {
  StepCounts out{static_cast<uint32_t>(step.tokens.size()), static_cast<uint32_t>(step.rows.size()),
                 static_cast<uint32_t>(step.seqs.size()), 0, static_cast<uint32_t>(step.pools.size())};
  for (const StepSequence& seq : step.seqs) out.max_kv = std::max(out.max_kv, seq.kv_len);
  return out;
}

Result<void> check_params(const ParamsLayout& layout, const PlanKey& key, const StepParams& step) {
  const auto within = [](std::string_view what, uint64_t found, uint64_t allowed) -> Result<void> {
    if (found <= allowed) return {};
    return fail(ErrorCode::kInvalidArgument, "A step has {} {}; the plan allows {}.", found, what, allowed);
  };
  TRY(within("page table entries", step.page_table.size(), key.max_pages));
  if (step.samples.empty()) return {};
  if (layout.mask_words == 0) return fail(ErrorCode::kInvalidArgument, "A step samples; the plan does not.");
  if (step.samples.size() != step.rows.size()) {
    return fail(ErrorCode::kInvalidArgument, "A step samples {} of {} rows.", step.samples.size(), step.rows.size());
  }
  TRY(within("recent tokens", step.recent.size(), uint64_t{key.max_rows} * kMaxRecent));
  const uint64_t masks = uint64_t{layout.mask_words} * step.rows.size();
  for (const StepSample& sample : step.samples) {
    TRY(within("recent tokens in a row", sample.n_recent, kMaxRecent));
    TRY(within("recent tokens before their end", uint64_t{sample.first_recent} + sample.n_recent, step.recent.size()));
    TRY(within("words of state", uint64_t{sample.word} + 1, uint64_t{key.max_seqs} * kSampledTokens));
    if (sample.masked && step.masks.size() != masks) {
      return fail(ErrorCode::kInvalidArgument, "A step has {} words of masks, expected {}.", step.masks.size(), masks);
    }
  }
  return within("words of masks", step.masks.size(), masks);
}

namespace {

/// Row `r`'s record. recent, masks: where these parts begin in the block.
void write_sample(const ParamsLayout& layout, const StepSample& sample, uint32_t r, uint32_t recent, uint32_t masks,
                  std::span<uint32_t> out) {
  const SampleSettings& s = sample.settings;
  const uint32_t flags = ParamsLayout::kSampled | (sample.masked ? ParamsLayout::kMasked : 0);
  const std::array<uint32_t, ParamsLayout::kSample> record = {std::bit_cast<uint32_t>(s.temperature),
                                                              s.top_k,
                                                              std::bit_cast<uint32_t>(s.top_p),
                                                              std::bit_cast<uint32_t>(s.min_p),
                                                              std::bit_cast<uint32_t>(s.repetition_penalty),
                                                              std::bit_cast<uint32_t>(s.frequency_penalty),
                                                              std::bit_cast<uint32_t>(s.presence_penalty),
                                                              static_cast<uint32_t>(s.seed),
                                                              static_cast<uint32_t>(s.seed >> 32),
                                                              sample.position,
                                                              sample.word,
                                                              flags,
                                                              recent + sample.first_recent,
                                                              sample.n_recent,
                                                              masks + r * layout.mask_words,
                                                              0};
  std::ranges::copy(record, out.begin() + layout.samples + r * ParamsLayout::kSample);
}

void write_header(const StepParams& step, std::span<uint32_t> out) {
  const StepCounts n = count(step);
  std::ranges::fill(out.first(ParamsLayout::kHeader), 0);
  out[0] = n.t;
  out[1] = n.r;
  out[2] = n.s;
  out[3] = n.max_kv;
  out[4] = static_cast<uint32_t>(step.page_table.size());
  out[5] = n.p;
}

}  // namespace

std::span<const uint32_t> write_params(const ParamsLayout& layout, const StepParams& step, std::span<uint32_t> out) {
  ASSERT(out.size() == layout.words && layout.pages + step.page_table.size() <= layout.words);
  write_header(step, out);
  const auto as_word = [](int32_t id) { return static_cast<uint32_t>(id); };
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
  for (size_t p = 0; p < step.pools.size(); ++p) {
    out[layout.pools + p * ParamsLayout::kPool] = step.pools[p].first;
    out[layout.pools + p * ParamsLayout::kPool + 1] = step.pools[p].n;
  }
  std::ranges::copy(step.page_table, out.begin() + layout.pages);
  uint32_t end = layout.pages + static_cast<uint32_t>(step.page_table.size());
  std::ranges::fill(out.subspan(layout.samples, step.rows.size() * ParamsLayout::kSample), 0);
  if (step.samples.empty()) return out.first(end);

  const uint32_t recent = end, masks = end + static_cast<uint32_t>(step.recent.size());
  for (uint32_t r = 0; r < step.samples.size(); ++r) write_sample(layout, step.samples[r], r, recent, masks, out);
  std::ranges::transform(step.recent, out.begin() + recent, as_word);
  std::ranges::copy(step.masks, out.begin() + masks);
  return out.first(masks + step.masks.size());
}

}  // namespace tern::graph
