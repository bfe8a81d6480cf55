// The facts of a GPU as JavaScript tells them.
#pragma once

#include <string_view>

#include "base/result.h"
#include "graph/target.h"

namespace tern::wasm {

/// facts: JSON as web/src/gpu.ts's DeviceFacts. Errors: kInvalidFile for fields that are missing or of a wrong type.
Result<graph::Target> parse_target(std::string_view facts);

}  // namespace tern::wasm
