// RowEncoder: the rows of a tensor from the opened files into another format, a piece at a time and on several threads.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "formats/format.h"
#include "graph/graph.h"
#include "io/weight_index.h"

namespace tern::cli {

class RowEncoder {
 public:
  /// threads: 0 = one per available core.
  RowEncoder(const io::WeightIndex& weights, uint32_t threads) : weights_(weights), pool_(threads) {}

  /// Gets the encoded rows in order, some whole rows at a time.
  using Sink = std::function<Result<void>(std::span<const std::byte> rows)>;

  /// The rows of `slices` in `target`, unchanged when they have that format already. Precondition: all slices are of
  /// one format and width. Errors: of reading; kInvalidArgument for weights that `target` cannot hold; the sink's.
  Result<void> encode(std::span<const graph::WeightSlice> slices, Format target, const Sink& sink);

 private:
  struct Row {
    uint32_t tensor;
    uint64_t row;
  };
  struct Run {  // rows [row0, row0 + n) of a tensor
    uint32_t tensor;
    uint64_t row0, n;
  };
  Result<void> locate(std::span<const Row> rows);
  Result<void> locate_run(std::span<const Row> rows);
  Result<void> encode_piece(Format source, Format target, uint64_t cols, std::span<std::byte> out);

  const io::WeightIndex& weights_;
  ThreadPool pool_;
  std::vector<const std::byte*> at_;             // where each row of the piece lies
  std::vector<Run> runs_;                        // what the piece uses of the files
  std::vector<std::vector<std::byte>> buffers_;  // rows that had to be read
};

}  // namespace tern::cli
