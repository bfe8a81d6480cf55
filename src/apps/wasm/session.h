// Session: what the WebAssembly module holds - one model and its engine - with answers as JSON for JavaScript.
//
//   open(options) -> load_step() ... until it is ready -> submit(), pump(), cancel(), stats()
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
  /// "context", "chunk", "max_seqs", "kv": "f32" | "f16" | "q8_0"}, for "gpu" also "target": facts of the device.
  /// Drops the model that was there before. Returns what the model is: {"arch", "name", "vocab", "context", "device",
  /// "chat", "weights_bytes", "kv_bytes"}.
  Result<Json> open(std::string_view text);

  /// A request as in request_json.h. {"id", "prompt_tokens"}
  Result<Json> submit(std::string_view text);
  void cancel(engine::RequestId id);
  /// {"idle": bool, "events": [{"id", "token" | "text" | "finished" | "device"}, ...]}
  Result<Json> pump();
  Result<Json> stats() const;
  /// Words of the plan that is being played, as write_plan() spells it.
  Result<std::vector<uint32_t>> plan() const;

 private:
  std::unique_ptr<engine::Model> model_;

  Result<engine::Model*> model() const;
};

}  // namespace tern::wasm
