// What a GGUF says about text - tokenizer, special ids, chat template - for a model whose files say it otherwise.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "io/metadata.h"
#include "io/model_files.h"

namespace tern::cli {

struct GgufText {
  std::vector<io::Metadata::Entry> metadata;  // "tokenizer.*"
  std::string problem;  // why the tokenizer that the files have was left out ("no_vocab"); empty when it was not
};

/// files: of Hugging Face. vocab: rows of the token embedding; a tokenizer that knows fewer is filled up with unused
/// tokens, because readers take the vocabulary's size from the list. Keys: ggml's docs/gguf.md, "Tokenizer".
/// Errors: kInvalidFile for a tokenizer that breaks its format or has more tokens than the model.
Result<GgufText> gguf_text(const io::ModelFiles& files, uint64_t vocab);

}  // namespace tern::cli
