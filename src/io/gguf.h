// GGUF: one file with metadata and weights. Versions 2 and 3, little endian, whole or split in parts.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
//   magic "GGUF" | version u32 | tensor count u64 | key count u64
//   per key:    key string | type u32 | value            (string = length u64 + bytes; array = type u32, count u64,
//   items) per tensor: name string | n_dims u32 | dims u64, innermost first | type u32 | offset u64 into the data
//   padding to general.alignment | tensor data, each tensor aligned
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/byte_source.h"
#include "io/metadata.h"
#include "io/weight_index.h"

namespace tern::io {

/// GGUF's ids of value types.
enum class GgufType : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

inline constexpr uint32_t kGgufMagic = 0x46554747;  // "GGUF"
inline constexpr uint32_t kGgufVersion = 3;
inline constexpr uint64_t kGgufDefaultAlignment = 32;
/// The specification's limits.
inline constexpr uint64_t kMaxKeyBytes = 65535;
inline constexpr uint64_t kMaxTensorNameBytes = 64;
inline constexpr uint32_t kMaxGgufDims = 4;

/// What one file says about itself.
struct GgufHeader {
  uint32_t version = 0;
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // offsets absolute and checked against the file; source is 0
};

/// Errors: kInvalidFile for anything that breaks the format or does not fit into the file, kUnsupported for big endian
/// files, other versions, nested arrays and tensor types that Tern does not have.
Result<GgufHeader> read_gguf_header(const ByteSource& source);

struct Gguf {
  Metadata metadata;  // of the first part
  WeightIndex weights;
};

/// All parts of one model, in any order. Errors: those of read_gguf_header; kInvalidFile when parts are missing,
/// duplicated or of another model.
Result<Gguf> read_gguf(std::vector<std::unique_ptr<ByteSource>> parts);

/// Opens a file and, when it is one part of a split model ("name-00001-of-00003.gguf"), its siblings in the same
/// folder. Errors: those of open_file and read_gguf.
Result<Gguf> open_gguf_file(const std::string& path);

}  // namespace tern::io
