// What a header of types/ has to offer. The struct types::<STEM> of types/<stem>.h is found by CMake, which lists all
// of them as formats::AllFormats in the generated format_list.h; nothing is registered anywhere else.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "formats/bytes.h"
#include "formats/format.h"
#include "formats/random.h"

namespace tern::formats {

template <class... Ts>
struct TypeList {};

template <class T>
concept HasInfo = requires {
  { T::kInfo } -> std::same_as<const FormatInfo&>;
} && T::kInfo.block_bytes > 0 && !T::kInfo.name.empty();

/// A row is a sequence of blocks: T::kInfo.block weights in T::kInfo.block_bytes bytes. Blocks have no alignment.
///   decode_block: the truth. Float operations in the order that the head comment states.
///   random_block: any valid block whose weights have mean zero and about the given standard deviation.
template <class T>
concept BlockFormat = HasInfo<T> && T::kInfo.block > 0 &&
                      requires(const std::byte* block, float* weights, Random& random, float stddev, std::byte* out) {
                        { T::decode_block(block, weights) } -> std::same_as<void>;
                        { T::random_block(random, stddev, out) } -> std::same_as<void>;
                      };

/// One block spans the row, as its scale belongs to the row (INT8).
template <class T>
concept RowFormat = HasInfo<T> && T::kInfo.block == 0 &&
                    requires(const std::byte* row, std::span<float> weights, uint64_t cols, Random& random,
                             float stddev, std::byte* out) {
                      { T::row_bytes(cols) } -> std::same_as<uint64_t>;
                      { T::decode_row(row, weights) } -> std::same_as<void>;
                      { T::random_row(random, stddev, cols, out) } -> std::same_as<void>;
                    };

template <class T>
concept WeightFormat = BlockFormat<T> || RowFormat<T>;

/// Optional: a format that can be written has encode_block(weights, block), or encode_row(weights, row), and the
/// largest magnitude that it takes. Encoders never see a larger one, nor NaN.
template <class T>
concept Encodable = WeightFormat<T> && requires { T::kMaxMagnitude; } &&
                    (requires(const float* weights, std::byte* out) { T::encode_block(weights, out); } ||
                     requires(std::span<const float> weights, std::byte* out) { T::encode_row(weights, out); });

/// kMaxMagnitude of every format whose scale is an f16: the largest finite f16, so that no scale or minimum overflows.
inline constexpr float kMaxF16 = 65504.0f;

}  // namespace tern::formats
