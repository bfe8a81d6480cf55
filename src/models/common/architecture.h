// Architecture: what one file of src/models/ says about its family of models. CMake collects the files into
// generated/model_list.h, so a new model is a new file and nothing else (docs/adding-a-model.md).
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "models/common/config.h"
#include "models/common/hparams.h"

namespace tern::models {

class ModelWriter;

/// A tensor's name in GGUF, which is Tern's own, and in Hugging Face checkpoints. Both without layer prefix and without
/// ".weight" / ".bias"; in the names of experts * stands for the expert's number.
struct TensorName {
  std::string_view gguf, hf;
};

struct Architecture {
  std::string_view name;       // as the file is called; the general.architecture of the GGUF files it reads
  std::string_view gguf_name;  // general.architecture of the GGUF files that `tern convert` writes for it
  std::span<const std::string_view> hf_types;  // "model_type" of config.json
  std::span<const TensorName> tensors;         // where it differs from the names that all share (names.cc)
  graph::Activation activation = graph::Activation::kSilu;
  // Where a file has a window but does not list its layers: every n-th layer sees everything; 0: all have the window.
  uint32_t window_period = 0;
  bool gguf_interleaved_rope = false;  // rows of Q and K in GGUF are ordered for pairs (2i, 2i+1)
  bool hf_norm_plus_one = false;       // Hugging Face stores w of (1 + w); GGUF always stores 1 + w

  /// Reads what only this family has; everything common is there already. May be null.
  Result<void> (*hparams)(const Config&, Hparams&) = nullptr;
  /// Writes the model down, ending in logits() of blocks.h.
  void (*build)(ModelWriter&) = nullptr;
};

}  // namespace tern::models
