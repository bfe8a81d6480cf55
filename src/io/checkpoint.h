// From the tensors a Hugging Face checkpoint stores to the matrices a model asks for: plain ones as they are, AWQ
// triples (qweight, qzeros, scales) and int8 pairs (weight, weight_scale) as one tensor "X.weight" with a Recipe.
#pragma once

#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "io/safetensors.h"
#include "io/weight_index.h"

namespace tern::io {

/// `raw` refers to sources already in `weights`; `config` is config.json (null when there is none).
/// Errors: kUnsupported for quantisation settings Tern does not have, kInvalidFile for parts that are missing or whose
/// shapes do not agree, and for duplicate names.
Result<void> add_checkpoint_tensors(std::vector<RawTensor> raw, const Json& config, WeightIndex& weights);

}  // namespace tern::io
