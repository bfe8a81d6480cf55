// Session: what the WebAssembly module holds - one model and its engine - with answers as JSON for JavaScript.
//
//   open(options) -> load_step() until it is done -> submit(), pump(), cancel(), stats(), tokenize(), detokenize()
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/model.h"

namespace tern::wasm {

class Session {
 public:
  /// text: JSON, {"path": a GGUF or Hugging Face folder in the module's file system, "device": "cpu" or "gpu",
  /// "context", "kv_tokens", "chunk", "max_seqs", "kv": "f32" | "f16" | "q8_0"}. progress: of the weights, in bytes.
  /// Drops the model that was there before; the new one can be used when load_step() is done. {}
  Result<Json> open(std::string_view text, engine::Progress progress);
  /// Places the next few megabytes of weights; when reading them fails it may be called again. {"done": bool}, at last
  /// with "model": {"arch", "name", "vocab", "context", "device", "chat", "weights_bytes", "kv_bytes"}.
  Result<Json> load_step();

  /// A request as in request_json.h. {"id", "prompt_tokens"}
  Result<Json> submit(std::string_view text);
  void cancel(engine::RequestId id);
  /// {"idle": bool, "events": [{"id", "token" | "text" | "embedding" | "finished" | "device"}, ...]}
  Result<Json> pump();
  Result<Json> stats() const;
  /// text: JSON, {"text"}, in which control tokens are text like any other. {"tokens": [ids]}, no BOS in front.
  Result<Json> tokenize(std::string_view text) const;
  /// text: JSON, {"tokens": [ids]}. {"text"}: what they stand for, control tokens for nothing.
  Result<Json> detokenize(std::string_view text) const;
  /// Words of the plan that is being played, as write_plan() spells it.
  Result<std::vector<uint32_t>> plan() const;

 private:
  std::unique_ptr<engine::ModelLoad> load_;  // null: nothing is being loaded
  std::unique_ptr<engine::Model> model_;

  Result<engine::Model*> model() const;
  Result<const text::Tokenizer*> tokenizer() const;
};

}  // namespace tern::wasm
