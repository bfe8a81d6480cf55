#include "backends/host/check_step.h"

#include <algorithm>

namespace tern::backends {

namespace {

Result<void> check_counts(const StepLimits& limits, const graph::StepParams& step) {
  const auto within = [](std::string_view what, size_t found, size_t allowed) -> Result<void> {
    if (found <= allowed) return {};
    return fail(ErrorCode::kInvalidArgument, "A step has {} {}; the plan allows {}.", found, what, allowed);
  };
  TRY(within("tokens", step.tokens.size(), limits.max_tokens));
  TRY(within("rows of logits", step.rows.size(), limits.max_rows));
  TRY(within("sequences", step.seqs.size(), limits.max_seqs));
  TRY(within("pools", step.pools.size(), step.seqs.size()));
  TRY(within("page table entries", step.page_table.size(), size_t{limits.max_seqs} * limits.n_pages));
  if (step.tokens.empty()) return fail(ErrorCode::kInvalidArgument, "A step has no tokens; at least 1 is needed.");
  if (step.positions.size() != step.tokens.size() || step.sequences.size() != step.tokens.size()) {
    return fail(ErrorCode::kInvalidArgument, "A step has {} tokens, but {} positions and {} sequence indices.",
                step.tokens.size(), step.positions.size(), step.sequences.size());
  }
  return {};
}

Result<void> check_pages(const StepLimits& limits, const graph::StepParams& step) {
  for (size_t s = 0; s < step.seqs.size(); ++s) {
    const graph::StepSequence& seq = step.seqs[s];
    const uint64_t needed = (uint64_t{seq.kv_len} + limits.page_tokens - 1) / limits.page_tokens;
    if (seq.first_page + needed > step.page_table.size()) {
      return fail(ErrorCode::kInvalidArgument,
                  "Sequence {} needs {} pages for {} tokens from entry {} of the page table, which has {}.", s, needed,
                  seq.kv_len, seq.first_page, step.page_table.size());
    }
  }
  for (const uint32_t page : step.page_table) {
    if (page < limits.n_pages) continue;
    return fail(ErrorCode::kInvalidArgument, "The page table names page {}; there are {}.", page, limits.n_pages);
  }
  return {};
}

Result<void> check_tokens(const StepLimits& limits, const graph::StepParams& step, std::span<uint64_t> next_position) {
  std::ranges::fill(next_position, 0);
  for (size_t t = 0; t < step.tokens.size(); ++t) {
    const uint32_t s = step.sequences[t];
    const uint32_t position = step.positions[t];
    const int32_t id = step.tokens[t];
    const bool known = id >= 0 ? static_cast<uint32_t>(id) < limits.vocabulary
                               : static_cast<uint32_t>(graph::sampled_token(0) - id) < limits.n_words;
    if (!known) {
      return fail(ErrorCode::kInvalidArgument, "Token {} of the step has the id {}; the vocabulary has {} ids.", t,
                  step.tokens[t], limits.vocabulary);
    }
    if (s >= step.seqs.size()) {
      return fail(ErrorCode::kInvalidArgument, "Token {} of the step belongs to sequence {}; the step has {}.", t, s,
                  step.seqs.size());
    }
    if (position >= step.seqs[s].kv_len) {
      return fail(ErrorCode::kInvalidArgument, "Token {} has position {}, but its sequence {} has a length of {}.", t,
                  position, s, step.seqs[s].kv_len);
    }
    if (position < next_position[s]) {
      return fail(ErrorCode::kInvalidArgument, "Token {} has position {}, which does not ascend within sequence {}.", t,
                  position, s);
    }
    next_position[s] = uint64_t{position} + 1;
  }
  return {};
}

Result<void> check_rows(const graph::StepParams& step) {
  for (size_t r = 0; r < step.rows.size(); ++r) {
    if (step.rows[r] >= step.tokens.size()) {
      return fail(ErrorCode::kInvalidArgument, "Logits of row {} are wanted; the step has {} tokens.", step.rows[r],
                  step.tokens.size());
    }
    if (r > 0 && step.rows[r] <= step.rows[r - 1]) {
      return fail(ErrorCode::kInvalidArgument, "Logits are wanted of row {} after row {}; rows must ascend.",
                  step.rows[r], step.rows[r - 1]);
    }
  }
  return {};
}

Result<void> check_pools(const graph::StepParams& step) {
  uint64_t end = 0;  // of the pool before
  for (size_t p = 0; p < step.pools.size(); ++p) {
    const graph::StepPool& pool = step.pools[p];
    if (pool.n == 0 || pool.first < end || uint64_t{pool.first} + pool.n > step.tokens.size()) {
      return fail(ErrorCode::kInvalidArgument,
                  "Pool {} is {} tokens from token {} on; expected at least 1, from token {} on, of the step's {}.", p,
                  pool.n, pool.first, end, step.tokens.size());
    }
    end = pool.first + pool.n;
    if (step.sequences[pool.first] == step.sequences[end - 1]) continue;
    return fail(ErrorCode::kInvalidArgument, "Pool {} has tokens of sequences {} and {}.", p,
                step.sequences[pool.first], step.sequences[end - 1]);
  }
  return {};
}

}  // namespace

StepLimits StepLimits::of(const graph::Plan& plan, uint32_t n_pages) {
  StepLimits out{plan.key.max_tokens,  plan.key.max_rows, plan.key.max_seqs, n_pages,
                 plan.key.page_tokens, UINT32_MAX,        plan.n_layers > 0, 0};
  for (const graph::PlanProgram& program : plan.programs) {
    uint64_t kernel_rows = 0;  // kernels read a shard of the table each, an op reads all of them
    for (uint32_t s = program.first_step; s < program.first_step + program.n_steps; ++s) {
      const graph::PlanStep& step = plan.steps[s];
      const graph::PlanPipeline& pipeline = plan.pipelines[step.pipeline];
      if (pipeline.op != graph::Op::kEmbed) continue;
      uint64_t rows = 0;
      for (uint32_t i = 0; i < step.n_inputs; ++i) {
        const graph::PlanBinding& table = plan.bindings[step.first_binding + i];
        if (plan.slots[table.slot].kind == graph::SlotKind::kWeight) rows += table.rows.multiple;
      }
      kernel_rows += rows;
      if (pipeline.source.empty()) out.vocabulary = static_cast<uint32_t>(std::min<uint64_t>(out.vocabulary, rows));
    }
    if (kernel_rows > 0) out.vocabulary = static_cast<uint32_t>(std::min<uint64_t>(out.vocabulary, kernel_rows));
  }
  for (const graph::PlanSlot& slot : plan.slots) {
    if (slot.kind == graph::SlotKind::kState) out.n_words = plan.key.max_seqs * graph::kSampledTokens;
  }
  return out;
}

Result<void> check_step(const StepLimits& limits, const graph::StepParams& step, std::span<uint64_t> next_position) {
  TRY(check_counts(limits, step));
  if (limits.has_cache) TRY(check_pages(limits, step));
  TRY(check_tokens(limits, step, next_position));
  TRY(check_rows(step));
  return check_pools(step);
}

}  // namespace tern::backends
