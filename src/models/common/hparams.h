// Hparams: everything an architecture needs to know about a model, in one structure, whether it was read from GGUF
// metadata or from a Hugging Face config. Each field was checked against its allowed range when it was read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/ops.h"

namespace tern::io {
struct ModelFiles;
}

namespace tern::models {

struct Architecture;

/// How a model's rotary embedding reaches beyond the context it was first trained with. The formulas are in rope.cc.
struct RopeScaling {
  enum class Kind { kNone, kLinear, kLlama3, kLongRope, kYarn };
  Kind kind = Kind::kNone;
  double factor = 1;
  uint32_t original_context = 0;                   // positions of the first training
  double low_freq = 1, high_freq = 4;              // llama3
  double beta_fast = 32, beta_slow = 1;            // yarn
  double attention_factor = 0;                     // on cos and sin; 0: derived by the rule of `kind`
  std::vector<float> short_factors, long_factors;  // longrope: [rot_dim / 2]
  std::vector<float> freq_factors;  // GGUF's rope_freqs.weight: [rot_dim / 2], divides each frequency; or empty
  bool operator==(const RopeScaling&) const = default;
};

struct Rope {
  double theta = 10000;
  uint32_t rot_dim = 0;      // the first rot_dim columns of a head turn
  bool interleaved = false;  // pairs (2i, 2i+1) instead of (i, i + rot_dim / 2)
  RopeScaling scaling;
  bool operator==(const Rope&) const = default;
};

struct Experts {
  uint32_t n = 0;  // 0: the model is dense
  uint32_t k = 0;  // experts per token
  uint32_t d_ff = 0;
  bool normalise = true;  // the k routing weights are made to sum to one
  bool operator==(const Experts&) const = default;
};

struct Hparams {
  std::string arch;  // name of the file in src/models/ that builds it
  bool from_gguf = false;

  uint32_t n_layers = 0, d_model = 0, d_ff = 0, vocab = 0;
  uint32_t n_heads = 0, n_kv_heads = 0, head_dim = 0;
  uint32_t context = 0;  // positions the model was trained for

  float rms_eps = 0;
  bool norm_plus_one = false;  // the file stores w of (1 + w), as Hugging Face's gemma does
  graph::Activation activation = graph::Activation::kSilu;
  bool tied_embeddings = false;  // the head is the token embedding
  float embed_scale = 1;

  Rope rope;
  Rope local_rope;                // of layers with a window (gemma3); else the same as rope
  std::vector<uint32_t> windows;  // [n_layers]: position p sees (p - window, p]; 0: all
  float attn_scale = 0;           // factor on q k
  float attn_softcap = 0;         // 0: none
  float final_softcap = 0;        // 0: none

  Experts experts;
  std::vector<int32_t> end_tokens;  // ids that end a text, each below vocab

  bool operator==(const Hparams&) const = default;
  uint32_t q_dim() const { return n_heads * head_dim; }
  uint32_t kv_dim() const { return n_kv_heads * head_dim; }
};

/// Reads and checks. Errors: kInvalidFile naming field, value found and values allowed; kUnsupported for variants that
/// are well-formed but that Tern does not compute.
Result<Hparams> read_hparams(const io::ModelFiles& files, const Architecture& arch);

}  // namespace tern::models
