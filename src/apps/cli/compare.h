// tern logits --compare-with-ref: where a backend first leaves the reference, value by value.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "engine/model.h"

namespace tern::cli {

/// One value of the graph on a backend beside the reference.
struct ValueDifference {
  std::string value;      // the name the model gave it: "blk.1.ffn_down"
  std::string step;       // what computes it on the backend: "blk.1.ffn_down+ffn_residual (linear_add, layer 1)"
  uint32_t position = 0;  // of the worst row
  double relative = 0;    // of that row: |ours - ref| / |ref|, Euclidean norms; infinite where only ref is zero
  double largest = 0;     // the largest difference of any element, and the largest magnitude in ref
  double magnitude = 0;
};

struct Comparison {
  std::vector<ValueDifference> values;  // those that both compute, in the order of `ours`
  uint32_t rows = 0, agreeing = 0;      // positions, and those where the likeliest token is the same
};

/// Runs `tokens` on both in chunks and compares every value that both have under one name; the last is "logits". Both
/// must be loaded with exposed values (graph::Target). The values of all tokens are held in memory: some megabytes a
/// token for a model of a billion weights. Errors: kInvalidArgument when a value has other shapes in the two.
Result<Comparison> compare_values(engine::Model& ours, engine::Model& ref, std::span<const int32_t> tokens,
                                  uint32_t chunk);

}  // namespace tern::cli
