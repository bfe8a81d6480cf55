// Model: a model file made playable: opened, built, lowered, its weights placed on a backend, its tokenizer and
// chat template at hand. This is where io, text, models and backends meet.
//
//   path -> io::open_model -> models::build_graph -> Backend::lower -> place_weights -> Engine::create
//                          -> read_text: tokenizer, chat template, end tokens
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "engine/engine.h"
#include "engine/weight_cache.h"
#include "io/model_files.h"
#include "models/common/hparams.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tern::engine {

/// done and total are bytes of weights; called at least once at the end.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

/// Makes a backend after the one before was lost; null: not yet, ask again later. Errors: there is none to be had.
using BackendFactory = std::function<Result<std::unique_ptr<backends::Backend>>()>;

struct Model {
  io::ModelFiles files;
  models::Hparams hparams;
  std::unique_ptr<text::Tokenizer> tokenizer;  // null when the files have none, or one that Tern does not know
  std::optional<text::ChatTemplate> chat_template;
  std::string text_problem;  // why a tokenizer or template that the files have is missing here; else empty
  std::vector<int32_t> end_tokens;
  WeightCache weight_cache;
  std::unique_ptr<backends::Backend> backend;
  std::unique_ptr<Engine> engine;  // last: it uses everything above
};

/// The text side of a model file alone, for `tern tokenize`: nothing of the weights is read.
struct ModelText {
  std::unique_ptr<text::Tokenizer> tokenizer;  // null when the files have none, or one that Tern does not know
  std::optional<text::ChatTemplate> chat_template;
  std::string text_problem;         // as in Model
  std::vector<int32_t> end_tokens;  // ascending
};
/// Errors: of opening; kInvalidFile for a tokenizer or template that breaks its format. One that is merely unknown
/// (kUnsupported) is left out, because token ids and plain text work without it: see text_problem.
Result<ModelText> read_text(const io::ModelFiles& files);
Result<ModelText> load_text(const std::string& path);

/// Opens `path` and makes it ready on `backend`. replacements: where answers go on when the device is lost, in order of
/// preference (PlayableModel). Errors: kNotFound, kInvalidFile, kUnsupported of the files; kInvalidArgument of the
/// options; kOutOfMemory.
Result<std::unique_ptr<Model>> load_model(const std::string& path, std::unique_ptr<backends::Backend> backend,
                                          const EngineOptions& options, const Progress& progress = {},
                                          std::vector<BackendFactory> replacements = {});
/// The same from files that are open already.
Result<std::unique_ptr<Model>> load_model(io::ModelFiles files, std::unique_ptr<backends::Backend> backend,
                                          const EngineOptions& options, const Progress& progress = {},
                                          std::vector<BackendFactory> replacements = {});

/// The same in steps of some milliseconds, for whoever has other things to do meanwhile (a browser). A GPU compiles its
/// kernels while weights are on their way.
class ModelLoad {
 public:
  static Result<std::unique_ptr<ModelLoad>> begin(io::ModelFiles files, std::unique_ptr<backends::Backend> backend,
                                                  const EngineOptions& options, const Progress& progress = {},
                                                  std::vector<BackendFactory> replacements = {});
  virtual ~ModelLoad() = default;
  /// False: there was nothing left to do, and finish() may be called.
  virtual Result<bool> step() = 0;
  /// Once: the model, ready to be asked. Errors: of Engine::create.
  virtual Result<std::unique_ptr<Model>> finish() = 0;
};

}  // namespace tern::engine
