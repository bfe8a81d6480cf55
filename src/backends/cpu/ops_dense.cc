#include <algorithm>
#include <cstring>

#include "backends/cpu/ops.h"

namespace tern::backends::cpu {

namespace {

/// Calls f(row, column, n) for pieces of all rows, split over the pool: rows of logits are long and few.
template <class F>
void for_pieces(const Run& run, const Matrix& m, F f) {
  constexpr uint32_t kPiece = 4096;
  const size_t pieces = (m.cols + kPiece - 1) / kPiece;
  run.pool.parallel_for(run.rows(m) * pieces, least_items(std::min(m.cols, kPiece)),
                        [&](size_t begin, size_t end, uint32_t) {
                          for (size_t i = begin; i < end; ++i) {
                            const uint32_t column = static_cast<uint32_t>(i % pieces) * kPiece;
                            f(i / pieces, column, std::min(m.cols - column, kPiece));
                          }
                        });
}

/// Calls f(row) for all rows, split over the pool.
template <class F>
void for_rows(const Run& run, const Matrix& m, F f) {
  run.pool.parallel_for(run.rows(m), least_items(m.cols), [&](size_t begin, size_t end, uint32_t) {
    for (size_t row = begin; row < end; ++row) f(row);
  });
}

void normalise(const Run& run, std::span<const float> x, std::span<const float> w, std::span<float> out) {
  const auto group = static_cast<uint32_t>(w.size());
  for (size_t begin = 0; begin < x.size(); begin += group) {
    run.kernels.rms_norm(x.data() + begin, w.data(), group, run.attrs<graph::NormAttrs>().eps, out.data() + begin);
  }
}

/// spare: the bytes of an encoded row.
void embed_token(const Run& run, size_t t, float factor, std::span<std::byte> spare) {
  auto id = static_cast<uint32_t>(run.step.tokens[t]);
  const Matrix* table = &run.in(0);
  for (; id >= table->weight->rows; ++table) id -= table->weight->rows;
  const std::span<float> out = run.out().row(t);
  if (const Panels* panels = run.panels_of(*table)) {
    panels->decode_row(id, spare, out);
  } else {
    table->weight->decode(id, out);
  }
  if (factor != 1) run.kernels.scale(out.data(), factor, run.out().cols, out.data());
}

}  // namespace

void embed(const Run& run) {
  const float factor = run.attrs<graph::ScaleAttrs>().factor;
  run.pool.parallel_for(
      run.rows(run.out()), least_items(run.out().cols), [&](size_t begin, size_t end, uint32_t worker) {
        const auto spare =
            std::as_writable_bytes(std::span(run.scratch.of_worker(worker), run.scratch.floats_per_worker));
        for (size_t t = begin; t < end; ++t) embed_token(run, t, factor, spare);
      });
}

void gather_rows(const Run& run) {
  for (size_t r = 0; r < run.step.rows.size(); ++r) {
    const std::span<const float> from = run.in(0).row(run.step.rows[r]);
    std::memcpy(run.out().row(r).data(), from.data(), from.size_bytes());
  }
}

void rms_norm(const Run& run) {
  for_rows(run, run.in(0), [&](size_t m) { normalise(run, run.in(0).row(m), run.in(1).row(0), run.out().row(m)); });
}

void pool_norm(const Run& run) {
  run.pool.parallel_for(run.step.pools.size(), 1, [&](size_t begin, size_t end, uint32_t worker) {
    const std::span<float> norm(run.scratch.of_worker(worker), run.out().cols);
    for (size_t p = begin; p < end; ++p) {
      const auto [first, n] = run.step.pools[p];
      const std::span<float> sum = run.out().row(p);
      normalise(run, run.in(0).row(first), run.in(1).row(0), sum);
      for (uint32_t t = first + 1; t < first + n; ++t) {
        normalise(run, run.in(0).row(t), run.in(1).row(0), norm);
        run.kernels.add(sum.data(), norm.data(), run.out().cols, sum.data());
      }
    }
  });
}

void add_rms_norm(const Run& run) {
  for_rows(run, run.in(0), [&](size_t m) {
    const std::span<float> sum = run.out(0).row(m);
    run.kernels.add(run.in(0).row(m).data(), run.in(1).row(m).data(), run.in(0).cols, sum.data());
    normalise(run, sum, run.in(2).row(0), run.out(1).row(m));
  });
}

void add(const Run& run) {
  const bool one_row = run.in(1).rows != run.in(0).rows;
  for_pieces(run, run.in(0), [&](size_t m, uint32_t column, uint32_t n) {
    run.kernels.add(&run.in(0).row(m)[column], &run.in(1).row(one_row ? 0 : m)[column], n, &run.out().row(m)[column]);
  });
}

void scale(const Run& run) {
  for_pieces(run, run.in(0), [&](size_t m, uint32_t column, uint32_t n) {
    run.kernels.scale(&run.in(0).row(m)[column], run.attrs<graph::ScaleAttrs>().factor, n, &run.out().row(m)[column]);
  });
}

void softcap(const Run& run) {
  for_pieces(run, run.in(0), [&](size_t m, uint32_t column, uint32_t n) {
    run.kernels.softcap(&run.in(0).row(m)[column], run.attrs<graph::SoftcapAttrs>().cap, n, &run.out().row(m)[column]);
  });
}

void glu(const Run& run) {
  const auto activation = static_cast<uint32_t>(run.attrs<graph::GluAttrs>().activation);
  for_pieces(run, run.in(0), [&](size_t m, uint32_t column, uint32_t n) {
    run.kernels.glu(activation, &run.in(0).row(m)[column], &run.in(1).row(m)[column], n, &run.out().row(m)[column]);
  });
}

}  // namespace tern::backends::cpu
