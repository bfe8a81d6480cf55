// Where the time of a step goes: the spans of a trace summed up by op, beside what limits each.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/roofs.h"
#include "base/json.h"
#include "base/trace.h"

namespace tern::cli {

struct OpTime {
  std::string_view op;
  uint64_t calls = 0;
  double seconds = 0, bytes = 0, operations = 0, int8_operations = 0, bf16_operations = 0;

  double gb_s() const { return seconds > 0 ? bytes / seconds * 1e-9 : 0; }
  double gop_s() const { return seconds > 0 ? operations / seconds * 1e-9 : 0; }
  /// The least time that the op's bytes or operations take at the machine's limits, whichever is longer, as a share of
  /// the time it took. Above 1 where caches hold what it reads.
  double share_of_limit(const backends::Roofs& roofs) const;
  bool limited_by_memory(const backends::Roofs& roofs) const;
};

/// Operations a second of these ops' products at the machine's peaks, each kind of product at its own.
double arithmetic_roof(std::span<const OpTime> ops, const backends::Roofs& roofs);

/// By op, the one that takes longest first.
std::vector<OpTime> sum_by_op(std::span<const Trace::Span> spans);
void print_ops(std::string_view title, std::span<const OpTime> ops, const backends::Roofs& roofs);
Json ops_json(std::span<const OpTime> ops, const backends::Roofs& roofs);

}  // namespace tern::cli
