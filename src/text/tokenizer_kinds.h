// The kinds of tokenizers: each is one file that defines the function named here and one line of kKinds in
// tokenizer.cc.
#pragma once

#include <memory>
#include <span>

#include "text/tokenizer.h"

namespace tern::text {

/// A specification that passed the checks that hold for every kind: tokens are valid UTF-8 and distinct, there is one
/// type per token, ids lie within the vocabulary.
struct CheckedSpec {
  TokenizerSpec spec;
  SpecialTokens special;
};

/// bpe.cc: byte-level BPE (GPT-2, Llama 3, Qwen2).
Result<std::unique_ptr<Tokenizer>> make_bpe(CheckedSpec checked);

}  // namespace tern::text
