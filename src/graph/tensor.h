// Shapes of activations. Everything that flows between ops is a row-major matrix [rows, cols]; cols is known when the
// model is, rows is a constant or a multiple of one of the step's counts, known when the step is.
#pragma once

#include <cstdint>
#include <string>

namespace tern::graph {

/// What is counted in a step: T tokens, R rows of logits, S sequences, the longest KV length among them, and P pools.
struct StepCounts {
  uint32_t t = 0, r = 0, s = 0, max_kv = 0, p = 0;
  bool operator==(const StepCounts&) const = default;
};

/// What a number of rows is a multiple of.
enum class Symbol : uint32_t {
  kOne,     // a constant
  kTokens,  // T: tokens in this step
  kRows,    // R: rows whose logits are wanted (R <= T)
  kPools,   // P: ranges of tokens whose hidden states are summed up (P <= S)
};

struct Dim {
  Symbol symbol = Symbol::kOne;
  uint32_t multiple = 1;
  bool operator==(const Dim&) const = default;

  static constexpr Dim constant(uint32_t n) { return {Symbol::kOne, n}; }
  static constexpr Dim tokens(uint32_t multiple = 1) { return {Symbol::kTokens, multiple}; }
  static constexpr Dim rows(uint32_t multiple = 1) { return {Symbol::kRows, multiple}; }
  static constexpr Dim pools(uint32_t multiple = 1) { return {Symbol::kPools, multiple}; }
  /// The number of rows in a step.
  constexpr uint64_t at(const StepCounts& n) const {
    switch (symbol) {
      case Symbol::kOne:
        break;
      case Symbol::kTokens:
        return uint64_t{multiple} * n.t;
      case Symbol::kRows:
        return uint64_t{multiple} * n.r;
      case Symbol::kPools:
        return uint64_t{multiple} * n.p;
    }
    return multiple;
  }
};

enum class DType : uint32_t { kF32, kI32 };  // both 4 bytes; a backend may keep f32 values narrower inside its plan

struct TensorDesc {
  DType dtype = DType::kF32;
  Dim rows;
  uint32_t cols = 0;
  bool operator==(const TensorDesc&) const = default;
};

}  // namespace tern::graph
