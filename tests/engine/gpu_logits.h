// Logits of a model on a device, and how far two of them are apart: what int8 activations cost is measured, not
// guessed.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/logits.h"
#include "engine/model.h"

namespace tern::engine {

/// Where a model is played and how.
struct Played {
  std::string device;
  uint32_t chunk = 1;  // tokens in a step
  backends::BackendOptions backend{.threads = 1};
  graph::KvFormat kv_format = graph::KvFormat::kF16;
};

/// The logits of n_tokens tokens, once in steps of each of `chunks` tokens, of which none is larger than played.chunk.
inline std::vector<std::vector<float>> logits_of(const std::string& path, uint32_t n_tokens, const Played& played,
                                                 std::span<const uint32_t> chunks) {
  auto backend = backends::make_backend(played.device, played.backend);
  EXPECT_TRUE(backend) << backend.error().to_string();
  if (!backend) return {};
  auto model =
      load_model(path, std::move(*backend),
                 {.max_seqs = 1, .max_tokens = played.chunk, .max_rows = played.chunk, .kv_format = played.kv_format});
  EXPECT_TRUE(model) << model.error().to_string();
  if (!model) return {};
  std::vector<int32_t> tokens;
  for (uint32_t i = 0; i < n_tokens; ++i) tokens.push_back(static_cast<int32_t>(i * 37 % 200 + 3));
  std::vector<std::vector<float>> out(chunks.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    const auto keep = [&](uint32_t, std::span<const float> row) -> Result<void> {
      out[i].insert(out[i].end(), row.begin(), row.end());
      return {};
    };
    const auto done = run_logits(**model, tokens, chunks[i], keep);
    EXPECT_TRUE(done) << done.error().to_string();
  }
  return out;
}
inline std::vector<float> logits_of(const std::string& path, uint32_t n_tokens, const Played& played) {
  const auto all = logits_of(path, n_tokens, played, std::span(&played.chunk, 1));
  return all.empty() ? std::vector<float>() : all[0];
}

/// |a - b| as a share of how far b's rows are from their means.
inline double difference(std::span<const float> a, std::span<const float> b, uint32_t n_tokens) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  const size_t cols = a.size() / n_tokens;
  double error = 0, scale = 0;
  for (size_t row = 0; row < n_tokens; ++row) {
    double mean = 0;
    for (size_t i = row * cols; i < (row + 1) * cols; ++i) mean += b[i] / static_cast<double>(cols);
    for (size_t i = row * cols; i < (row + 1) * cols; ++i) {
      error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
      scale += (b[i] - mean) * (b[i] - mean);
    }
  }
  return std::sqrt(error / scale);
}

}  // namespace tern::engine
