// Safetensors: Hugging Face's weight files, single or sharded with an index.
// Format: https://huggingface.co/docs/safetensors (header length u64 | JSON header | data without gaps)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "io/byte_source.h"
#include "io/weight_index.h"

namespace tern::io {

/// The element types that occur in the checkpoints Tern reads; I8 and I32 only as parts of quantised matrices.
enum class Dtype : uint8_t { kF32, kF16, kBF16, kI8, kI32 };

std::string_view dtype_name(Dtype dtype);
uint64_t dtype_bytes(Dtype dtype);

/// A tensor as stored, outermost dimension first; a scalar has shape {1}.
struct RawTensor {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<uint64_t> shape;
  Part part;  // absolute offset, checked against the file
};

/// The tensors of one file, in order of their offsets; part.source is 0. Errors: kInvalidFile for anything that breaks
/// the format or does not fit into the file, kUnsupported for other element types.
Result<std::vector<RawTensor>> read_safetensors_header(const ByteSource& source);

/// Files of one model and its config.json (its "quantization_config" says how quantised matrices are put together).
/// Errors: those of read_safetensors_header and add_checkpoint_tensors; kInvalidFile for duplicate tensors.
Result<WeightIndex> read_safetensors(std::vector<std::unique_ptr<ByteSource>> shards, const Json& config);

/// `path` is a .safetensors file or a model.safetensors.index.json, whose shards lie beside it.
/// Errors: as read_safetensors; kInvalidFile when the index names a file outside its folder or a tensor that its shard
/// does not hold; kNotFound for a missing shard.
Result<WeightIndex> open_safetensors(const std::string& path, const Json& config);

}  // namespace tern::io
