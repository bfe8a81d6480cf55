// A model as a user names it - a GGUF, a Hugging Face folder, a file in one - opened and ready for the models room.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "io/byte_source.h"
#include "io/metadata.h"
#include "io/weight_index.h"

namespace tern::io {

struct ModelFiles {
  enum class Kind { kGguf, kHuggingFace };
  Kind kind = Kind::kGguf;
  std::string name;  // "llama-3.2-1b.Q4_K_M.gguf", or the folder's name
  WeightIndex weights;
  Metadata metadata;  // GGUF only
  // Hugging Face only; null where the file is missing (config is always there).
  Json config, generation_config, tokenizer, tokenizer_config;
  std::string chat_template;  // Jinja; empty when the model has none
};

/// `path`: a .gguf (any part of a split one), a folder with config.json and safetensors, a folder that holds one GGUF,
/// or a .safetensors file in such a folder. What a file is is decided by its content, not its name.
/// Errors: kNotFound, kInvalidFile, kUnsupported; the sentence says what was found and what to do.
Result<ModelFiles> open_model(const std::string& path);

/// The parts of a GGUF that are open already (the browser's way), in any order.
Result<ModelFiles> open_gguf(std::vector<std::unique_ptr<ByteSource>> parts);

}  // namespace tern::io
