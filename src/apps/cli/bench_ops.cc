#include "apps/cli/bench_ops.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/cli/terminal.h"
#include "graph/ops.h"

namespace tern::cli {
namespace {

/// The op, or a GPU's kernel for it.
bool is_attention(std::string_view name) {
  return name.find(graph::op_name(graph::Op::kAttention)) != name.npos || name.starts_with("flash");
}

double memory_seconds(const OpTime& op, const backends::Roofs& roofs) {
  return roofs.read_gb_s > 0 ? op.bytes / roofs.read_gb_s * 1e-9 : 0;
}
double arithmetic_seconds(const OpTime& op, const backends::Roofs& roofs) {
  const auto at = [](double operations, double peak) { return peak > 0 ? operations / peak * 1e-9 : 0; };
  return at(op.operations - op.int8_operations - op.bf16_operations, roofs.peak_gflop_s) +
         at(op.int8_operations, roofs.peak_int8_gop_s) + at(op.bf16_operations, roofs.peak_bf16_gflop_s);
}

}  // namespace

double arithmetic_roof(std::span<const OpTime> ops, const backends::Roofs& roofs) {
  double operations = 0, seconds = 0;
  for (const OpTime& op : ops) {
    if (is_attention(op.op)) continue;  // counted are 2 operations per weight and token
    operations += op.operations;
    seconds += arithmetic_seconds(op, roofs);
  }
  // A GPU that times no kernels: of its two limits the one that nothing can beat.
  return seconds > 0 ? operations / seconds : std::max(roofs.peak_gflop_s, roofs.peak_int8_gop_s) * 1e9;
}

double OpTime::share_of_limit(const backends::Roofs& roofs) const {
  const double least = std::max(memory_seconds(*this, roofs), arithmetic_seconds(*this, roofs));
  return seconds > 0 ? least / seconds : 0;
}

bool OpTime::limited_by_memory(const backends::Roofs& roofs) const {
  return memory_seconds(*this, roofs) >= arithmetic_seconds(*this, roofs);
}

std::vector<OpTime> sum_by_op(std::span<const Trace::Span> spans) {
  std::vector<OpTime> ops;
  for (const Trace::Span& span : spans) {
    auto found = std::ranges::find(ops, span.name, &OpTime::op);
    if (found == ops.end()) found = ops.insert(found, OpTime{.op = span.name});
    ++found->calls;
    found->seconds += static_cast<double>(span.end_ns - span.begin_ns) * 1e-9;
    found->bytes += span.bytes;
    found->operations += span.operations;
    found->int8_operations += span.int8_operations;
    found->bf16_operations += span.bf16_operations;
  }
  std::ranges::sort(ops, std::ranges::greater(), &OpTime::seconds);
  return ops;
}

void print_ops(std::string_view title, std::span<const OpTime> ops, const backends::Roofs& roofs) {
  double total = 0;
  for (const OpTime& op : ops) total += op.seconds;
  fmt::print("\n{:<18} {:>7} {:>10} {:>6} {:>8} {:>8}  {}\n", styled(fmt::format("{:<18}", title), Style::kBold),
             "calls", "ms", "time", "GB/s", "GOP/s", "of the limit");
  for (const OpTime& op : ops) {
    fmt::print("{:<18} {:>7} {:>10.3f} {:>5.1f}% {:>8.1f} {:>8.1f}  {:>5.1f}% of {}\n", op.op, op.calls,
               op.seconds * 1e3, total > 0 ? 100 * op.seconds / total : 0, op.gb_s(), op.gop_s(),
               100 * op.share_of_limit(roofs), op.limited_by_memory(roofs) ? "bandwidth" : "arithmetic");
  }
}

Json ops_json(std::span<const OpTime> ops, const backends::Roofs& roofs) {
  Json list = Json::array();
  for (const OpTime& op : ops) {
    list.push_back({{"op", op.op},
                    {"calls", op.calls},
                    {"seconds", op.seconds},
                    {"gb_s", op.gb_s()},
                    {"gop_s", op.gop_s()},
                    {"share_of_limit", op.share_of_limit(roofs)},
                    {"limit", op.limited_by_memory(roofs) ? "bandwidth" : "arithmetic"}});
  }
  return list;
}

}  // namespace tern::cli
