// A model as GGUF describes it, as data: metadata and a list of tensors that say which rows of the opened files they
// are made of. `tern convert` streams it through io::GgufWriter, requantising on the way if asked. The result is what
// llama.cpp reads: its names, its order of Q and K rows, stacked experts, gemma's norms as 1 + w.
#pragma once

#include <string>
#include <vector>

#include "io/metadata.h"
#include "io/model_files.h"
#include "models/common/writer.h"

namespace tern::models {

struct Export {
  std::vector<io::Metadata::Entry> metadata;  // without the tokenizer's, and without general.alignment
  std::vector<ModelTensor> tensors;           // slices in row order; AWQ and INT8 tensors have no GGUF type
};

/// A GGUF gives its own metadata and tensors back as they are (without what said that it was split).
/// Errors: those of build_graph.
Result<Export> export_gguf(const io::ModelFiles& files);

}  // namespace tern::models
