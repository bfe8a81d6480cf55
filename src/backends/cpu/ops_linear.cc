#include <algorithm>

#include "backends/cpu/ops.h"

namespace tern::backends::cpu {

namespace {

constexpr size_t kUnit = 16;  // rows of a weight that are never split between workers: a tile of the kernel

/// Rows [begin, end) of a matrix that starts at row `first` of `weight`; with up > 0 a GLU whose up rows lie `up` below
/// the gate rows. The rows are cut where the runs of memory end. `args` has all but w, w_up, n_rows and y0.
void multiply_rows(const KernelTable& kernels, LinearArgs args, const WeightRows& weight, uint32_t first, uint32_t up,
                   uint32_t begin, uint32_t end) {
  while (begin < end) {
    const WeightRows::Run& run = weight.run_of(first + begin);
    uint32_t n = std::min(end - begin, run.row0 + run.rows - (first + begin));
    args.w = weight.row(first + begin);
    if (up > 0) {
      const WeightRows::Run& up_run = weight.run_of(first + up + begin);
      n = std::min(n, up_run.row0 + up_run.rows - (first + up + begin));
      args.w_up = weight.row(first + up + begin);
    }
    args.n_rows = n;
    args.y0 = begin;
    kernels.linear(args);
    begin += n;
  }
}

/// All n rows, split over the pool.
void multiply(const Run& run, const LinearArgs& args, const WeightRows& weight, uint32_t first, uint32_t up,
              uint32_t n) {
  const size_t cost = kUnit * args.k * args.m * (up > 0 ? 2 : 1);
  run.pool.parallel_for((n + kUnit - 1) / kUnit, least_items(cost), [&](size_t begin, size_t end, uint32_t worker) {
    LinearArgs mine = args;
    mine.scratch = run.scratch.of_worker(worker);
    multiply_rows(run.kernels, mine, weight, first, up, static_cast<uint32_t>(begin * kUnit),
                  static_cast<uint32_t>(std::min<size_t>(end * kUnit, n)));
  });
}

LinearArgs linear_args(const Run& run, const WeightRows& weight, size_t m) {
  LinearArgs args;
  args.x = run.scratch.x_rows.as<const float*>().data();
  args.y = run.scratch.y_rows.as<float*>().data();
  args.m = static_cast<uint32_t>(m);
  args.k = weight.cols;
  args.row_bytes = weight.row_bytes;
  args.format = weight.format;
  args.kernels = run.kernels.format(weight.format);
  return args;
}

/// Pointers to rows [0, m) of a matrix.
template <class T>
std::span<T*> point_at_rows(const HostBlock& block, const Matrix& matrix, size_t m) {
  const std::span<T*> pointers = block.as<T*>().first(m);
  for (size_t row = 0; row < m; ++row) pointers[row] = matrix.row(row).data();
  return pointers;
}

}  // namespace

void linear(const Run& run) {
  const auto& attrs = run.attrs<graph::LinearAttrs>();
  const WeightRows& weight = *run.in(1).weight;
  const size_t m = run.rows(run.in(0));
  LinearArgs args = linear_args(run, weight, m);
  point_at_rows<const float>(run.scratch.x_rows, run.in(0), m);
  point_at_rows<float>(run.scratch.y_rows, run.out(), m);
  if (attrs.has_bias) args.bias = run.in(2).row(0).data();
  if (run.call().op == graph::Op::kLinearAdd) {
    args.residual = point_at_rows<const float>(run.scratch.residual_rows, run.call().inputs.back(), m).data();
  }
  args.activation = static_cast<uint32_t>(attrs.activation);
  const bool is_glu = run.call().op == graph::Op::kLinearGlu;
  if (const Panels* panels = run.panels_of(run.in(1))) return multiply_panels(run, args, *panels, 0, is_glu);
  multiply(run, args, weight, 0, is_glu ? weight.rows / 2 : 0, is_glu ? weight.rows / 2 : weight.rows);
}

namespace {

/// Sorts the rows of the output by their expert, stably. Ids that are no expert (only a wrong plan has them) are left
/// out. Gives the rows; expert e has [starts[e], starts[e + 1]).
std::span<const uint32_t> sort_by_expert(const Run& run, std::span<uint32_t> starts) {
  const Matrix& ids = run.call().inputs.back();
  const uint32_t k = ids.cols;
  const std::span<uint32_t> rows = run.scratch.expert_rows.as<uint32_t>().first(run.rows(run.out()));
  const auto expert = [&](size_t row) { return static_cast<uint32_t>(ids.int_row(row / k)[row % k]); };
  const uint32_t n_experts = static_cast<uint32_t>(starts.size()) - 1;
  std::ranges::fill(starts, 0);
  for (size_t row = 0; row < rows.size(); ++row) {
    if (expert(row) < n_experts) ++starts[expert(row) + 1];
  }
  for (size_t e = 1; e < starts.size(); ++e) starts[e] += starts[e - 1];
  const uint32_t total = starts.back();
  for (size_t row = rows.size(); row-- > 0;) {
    if (expert(row) < n_experts) rows[--starts[expert(row) + 1]] = static_cast<uint32_t>(row);
  }
  // Now starts[e + 1] is where e begins.
  std::ranges::copy(starts.subspan(1), starts.begin());
  starts.back() = total;
  return rows.first(total);
}

}  // namespace

void linear_experts(const Run& run) {
  const auto& attrs = run.attrs<graph::ExpertsAttrs>();
  const std::span<uint32_t> starts = run.scratch.expert_starts.as<uint32_t>().first(attrs.n_experts + 1);
  const std::span<const uint32_t> rows = sort_by_expert(run, starts);
  const bool row_per_expert = run.in(0).rows != run.call().inputs.back().rows;  // x has T * k rows, not T
  const std::span<const float*> x_rows = run.scratch.x_rows.as<const float*>();
  const std::span<float*> y_rows = run.scratch.y_rows.as<float*>();
  for (size_t i = 0; i < rows.size(); ++i) {
    x_rows[i] = run.in(0).row(row_per_expert ? rows[i] : rows[i] / attrs.k).data();
    y_rows[i] = run.out().row(rows[i]).data();
  }
  uint32_t shard = 1, before = 0;  // experts in earlier shards
  for (uint32_t e = 0; e < attrs.n_experts; ++e) {
    for (; (e - before + 1) * uint64_t{run.out().cols} > run.in(shard).weight->rows; ++shard) {
      before += run.in(shard).weight->rows / run.out().cols;
    }
    const WeightRows& weight = *run.in(shard).weight;
    LinearArgs args = linear_args(run, weight, starts[e + 1] - starts[e]);
    if (args.m == 0) continue;
    args.x += starts[e];
    args.y += starts[e];
    if (const Panels* panels = run.panels_of(run.in(shard))) {
      multiply_panels(run, args, *panels, e - before, false);
      continue;
    }
    multiply(run, args, weight, (e - before) * run.out().cols, 0, run.out().cols);
  }
}

}  // namespace tern::backends::cpu
