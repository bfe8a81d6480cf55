#include <algorithm>

#include "backends/cpu/ops.h"

namespace tern::backends::cpu {

namespace {

void quantize_rows(const Run& run, const QuantizeArgs& args) {
  run.pool.parallel_for(args.m, least_items(args.k), [&](size_t begin, size_t end, uint32_t) {
    QuantizeArgs mine = args;
    mine.begin = static_cast<uint32_t>(begin);
    mine.end = static_cast<uint32_t>(end);
    run.kernels.quantize(mine);
  });
}

/// Panels [begin, end) of args, made by the worker while it multiplies, as many at a time as fit into its scratch.
void multiply_made(const Run& run, PanelArgs args, const PanelSource& source, const PanelLayout& layout,
                   std::byte* made) {
  const uint32_t halves = args.up > 0 ? 2 : 1;
  const auto most = static_cast<uint32_t>(std::max<uint64_t>(1, kMadeBytes / (layout.panel_bytes() * halves)));
  PanelArgs mine = args;
  mine.w = reinterpret_cast<const uint8_t*>(made);
  for (uint32_t begin = args.begin; begin < args.end; begin += most) {
    const uint32_t n = std::min(most, args.end - begin);
    PanelLayout there = layout;
    there.segment_rows = n * kPanelRows;
    there.rows = halves * there.segment_rows;
    source.copy(args.first + begin, n, there, 0, made);
    if (args.up > 0) source.copy(args.first + args.up + begin, n, there, n, made);
    mine.panels = there.panels();
    mine.first = 0 - begin;  // panel `begin` of the product is number 0 of those made
    mine.up = args.up > 0 ? n : 0;
    mine.begin = begin;
    mine.end = begin + n;
    run.kernels.linear_panels(mine);
  }
}

/// Panels [args.begin, args.end), made where they are not yet.
void multiply_share(const Run& run, const PanelArgs& args, const Panels& panels, uint32_t worker) {
  if (!panels.source || panels.source->complete()) return run.kernels.linear_panels(args);
  if (run.scratch.step == 1) {
    return multiply_made(run, args, *panels.source, panels.layout, run.scratch.made_of_worker(worker));
  }
  for (const uint32_t first : {args.first, args.first + args.up}) {
    panels.source->make(first + args.begin, first + args.end);
  }
  run.kernels.linear_panels(args);
}

/// Panels split over the pool. Few tokens: one contiguous share each, because threads that alternate in pieces of some
/// hundred KB read fast memory at two thirds of its speed. Many: pieces of four panels or more, so that a thread that
/// loses its core does not hold up the others.
void multiply_shares(const Run& run, const PanelArgs& args, const Panels& weight) {
  constexpr uint32_t kStream = 32, kUnit = 4;
  const uint32_t panels = weight.layout.segment_panels();
  const bool stream = args.m <= kStream;
  const uint32_t unit = stream ? 1 : kUnit, units = (panels + unit - 1) / unit;
  const size_t cost = size_t{kPanelRows} * unit * args.k * args.m / 8 * (args.up > 0 ? 2 : 1);
  size_t least = least_items(cost);
  if (stream) least = std::max<size_t>(least, (units + run.pool.threads() - 1) / run.pool.threads());
  run.pool.parallel_for(units, least, [&](size_t begin, size_t end, uint32_t worker) {
    PanelArgs mine = args;
    mine.scratch = run.scratch.of_worker(worker);
    mine.begin = static_cast<uint32_t>(begin) * unit;
    mine.end = std::min(static_cast<uint32_t>(end) * unit, panels);
    multiply_share(run, mine, weight, worker);
  });
}

/// Bytes of weights to ask for in advance when a tile has so many tokens: a page, because hardware prefetchers stop at
/// its end. With few tokens that pays on Intel's servers (Q4_0, decoding on one thread: 17.7 to 18.3 tokens/s with a
/// page, 16.7 to 17.5 with 1024 bytes, 14.9 to 15.5 without); the prefetchers of Zen 4 and before do better alone until
/// so much is computed per line that they fall behind (8 tokens: 9.8 GB/s without, 12.4 with). Zen 5 wants two pages
/// for any number of tokens (one token, of 43 GB/s: Q4_K 41 with two pages, 39 with one or with three, 18 without; Q4_0
/// 40.5, 39 and 37). 0 asks for the line that is read next anyway.
uint32_t prefetch_distance(uint32_t tokens) {
  constexpr uint32_t kPage = 4096, kManyTokens = 5;
  bool with_few = false;
#ifdef __x86_64__
  with_few = __builtin_cpu_is("intel");
  const bool is_old_zen = __builtin_cpu_is("amdfam17h") || __builtin_cpu_is("amdfam19h");
  if (__builtin_cpu_is("amd") && !is_old_zen) return 2 * kPage;
#endif
  return with_few || tokens >= kManyTokens ? kPage : 0;
}

}  // namespace

void multiply_panels(const Run& run, const LinearArgs& args, const Panels& panels, uint32_t segment, bool is_glu) {
  const PanelLayout& layout = panels.layout;
  const uint32_t n = layout.segment_panels();
  auto* quantized = reinterpret_cast<uint8_t*>(run.scratch.quantized.bytes().data());
  for (uint32_t t0 = 0; t0 < args.m; t0 += kProductTokens) {
    const uint32_t m = std::min(args.m - t0, kProductTokens);
    quantize_rows(run, {.x = args.x + t0,
                        .m = m,
                        .k = layout.cols,
                        .padded_k = layout.padded_cols(),
                        .kernel = panels.kernel,
                        .out = quantized});
    multiply_shares(run,
                    {.kernel = panels.kernel,
                     .x = quantized,
                     .y = args.y + t0,
                     .m = m,
                     .k = layout.padded_cols(),
                     .w = reinterpret_cast<const uint8_t*>(panels.data),
                     .block = layout.shape.block,
                     .block_bytes = layout.shape.block_bytes,
                     .k_block = layout.shape.k_block,
                     .panels = layout.panels(),
                     .first = segment * n,
                     .up = is_glu ? n : 0,
                     .rows = layout.segment_rows,
                     .bias = args.bias,
                     .residual = args.residual ? args.residual + t0 : nullptr,
                     .activation = args.activation,
                     .ahead = prefetch_distance(std::min(m, panels.kernel->tile(m)))},
                    panels);
  }
}

}  // namespace tern::backends::cpu
