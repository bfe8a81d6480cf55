#include "backends/cpu/step_copy.h"

#include <algorithm>

namespace tern::backends::cpu {

namespace {

template <class T>
std::span<const T> copy(std::span<const T> from, const HostBlock& to) {
  std::ranges::copy(from, to.as<T>().begin());
  return to.as<T>().first(from.size());
}

}  // namespace

Result<StepCopy> StepCopy::make(const StepLimits& limits) {
  const auto room = [](uint64_t bytes) { return HostBlock::make(bytes, "the parameters of a step"); };
  StepCopy out;
  out.tokens_ = TRY(room(limits.max_tokens * sizeof(int32_t)));
  out.positions_ = TRY(room(limits.max_tokens * sizeof(uint32_t)));
  out.sequences_ = TRY(room(limits.max_tokens * sizeof(uint32_t)));
  out.seqs_ = TRY(room(limits.max_seqs * sizeof(graph::StepSequence)));
  out.page_table_ = TRY(room(uint64_t{limits.max_seqs} * limits.n_pages * sizeof(uint32_t)));
  out.rows_ = TRY(room(limits.max_rows * sizeof(uint32_t)));
  out.pools_ = TRY(room(limits.max_seqs * sizeof(graph::StepPool)));
  return out;
}

void StepCopy::assign(const graph::StepParams& step) {
  params_.tokens = copy(step.tokens, tokens_);
  params_.positions = copy(step.positions, positions_);
  params_.sequences = copy(step.sequences, sequences_);
  params_.seqs = copy(step.seqs, seqs_);
  params_.page_table = copy(step.page_table, page_table_);
  params_.rows = copy(step.rows, rows_);
  params_.pools = copy(step.pools, pools_);
}

}  // namespace tern::backends::cpu
