// From a model file to its graph: find the architecture, read the hyperparameters, write the model down.
#pragma once

#include "graph/graph.h"
#include "io/model_files.h"
#include "models/common/hparams.h"
#include "models/common/writer.h"

namespace tern::models {

struct ModelGraph {
  Hparams hparams;
  graph::Graph graph;
};

/// context: positions that will be used at most, 0 for all that the model has. It chooses between the short and the
/// long rope factors of Phi-3's long models, nothing else.
/// The graph has the outputs "logits" [R, vocab] and "pooled" [P, d_model]; its weights are slices of files.weights.
/// Errors: kUnsupported for other architectures (the sentence lists those there are), kInvalidFile for fields out of
/// range and for tensors that are missing or disagree with the hyperparameters.
Result<ModelGraph> build_graph(const io::ModelFiles& files, uint32_t context = 0);

/// The same, with the list of tensors that the model asked for; for export.cc.
struct BuiltModel {
  ModelGraph graph;
  std::vector<ModelTensor> tensors;
};
Result<BuiltModel> build_model(const io::ModelFiles& files, uint32_t context);

/// The architecture whose file in src/models/ reads these files. Errors: kUnsupported, kInvalidFile.
Result<const Architecture*> find_architecture(const io::ModelFiles& files);

}  // namespace tern::models
