// JsDevice: the GPU as JavaScript plays it. Every call goes out to an import of the module "tern_gpu", which
// web/src/gpu_host.ts implements over web/src/player.ts; nothing here waits.
#pragma once

#include <memory>

#include "backends/backend.h"
#include "base/result.h"

namespace tern::wasm {

/// Asks JavaScript for a GPU, and again each time it is called until there is one: null means not yet. What it gives is
/// a webgpu backend. Errors: kNotFound when there is none to be had, kInvalidFile for facts that are none.
Result<std::unique_ptr<backends::Backend>> open_gpu();

}  // namespace tern::wasm
