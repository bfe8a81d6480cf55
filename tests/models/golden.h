// The reference models of tests/data/golden: tiny random models whose logits and greedy tokens PyTorch computed in f64.
#pragma once

#include <cmath>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "models/npy.h"

namespace tern::test {

inline constexpr const char* kGoldenModels[] = {"llama2-mha",     "llama31-gqa-ropescale",
                                                "llama32-tied",   "mistral-swa16",
                                                "qwen2-bias",     "qwen3-qknorm",
                                                "gemma1",         "gemma2",
                                                "gemma3",         "phi3",
                                                "mixtral",        "qwen3-moe",
                                                "llama3-awq-g128"};

inline std::string golden_path(const std::string& model) {
  return TERN_TEST_DATA "/golden/" + model;
}

inline std::string read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// gemma2's golden_logits.npy was computed without the cap on attention scores: see gemma2_reference.py, which made
/// softcap_logits.npy.
inline std::string golden_stem(const std::string& model) {
  return model == "gemma2" ? "softcap" : "golden";
}

struct Golden {
  std::vector<int32_t> ids;     // the prompt, 48 tokens
  std::vector<int32_t> greedy;  // the 32 tokens that follow
  std::vector<float> logits;    // [48, vocab]
};

inline Result<Golden> read_golden(const std::string& model, const std::string& stem) {
  const std::string path = golden_path(model) + "/" + stem;
  const Json json = TRY(parse_json(read_text_file(path + ".json")));
  Golden golden;
  for (const Json& id : json["ids"]) golden.ids.push_back(id.get<int32_t>());
  for (const Json& id : json["greedy"]) golden.greedy.push_back(id.get<int32_t>());
  golden.logits = TRY(read_npy(path + "_logits.npy"));
  return golden;
}

inline Result<Golden> read_golden(const std::string& model) {
  return read_golden(model, golden_stem(model));
}

/// A config that was changed in memory, with its numbers typed as a parser types them.
inline Json reparsed(const Json& json) {
  return *parse_json(json.dump());
}

inline float max_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return INFINITY;
  float worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const float d = std::abs(a[i] - b[i]);
    worst = d <= worst ? worst : d;  // NaN becomes the worst
  }
  return worst;
}

}  // namespace tern::test
