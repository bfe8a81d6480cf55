// check_step: the limits a plan sets to a step, checked before anything runs, because a step may come from a request.
#pragma once

#include <vector>

#include "backends/backend.h"

namespace tern::backends {

struct StepLimits {
  uint32_t max_tokens = 0;
  uint32_t max_rows = 0;
  uint32_t max_seqs = 0;
  uint32_t n_pages = 0;
  uint32_t page_tokens = 0;
  uint32_t vocabulary = UINT32_MAX;  // rows of the smallest table that token ids index
  bool has_cache = false;            // pages are looked at
  uint32_t n_words = 0;              // of the state, from which tokens may be taken

  static StepLimits of(const graph::Plan& plan, uint32_t n_pages);
};

/// T, R and S within the plan's; ids < vocabulary (or words of the state); of each sequence: positions strictly
/// ascending and < kv_len, pages for kv_len tokens in the table, page ids < n_pages; rows strictly ascending and < T;
/// pools as step.h says. next_position: scratch of [max_seqs], so that checking allocates nothing. Errors:
/// kInvalidArgument naming the value found and the value allowed.
Result<void> check_step(const StepLimits& limits, const graph::StepParams& step, std::span<uint64_t> next_position);

}  // namespace tern::backends
