// Which format each tensor of a written GGUF gets: one format for all matrices, or a mix with a name of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/format.h"

namespace tern::cli {

struct TargetFormat {
  std::string name;  // "q4_k_m"
  Format format = Format::kF16;
  // Files named Q4_K_M have Q6_K for the head and, in half of the layers, for the two matrices that suffer most.
  bool mix = false;

  /// name: of the tensor ("blk.3.ffn_down.weight"); n_layers: of the model. Vectors, and the routers of experts (small,
  /// and a wrong choice of expert cannot be made good), stay in F32. tied: there is no output.weight.
  Format of(std::string_view tensor, const std::vector<uint64_t>& shape, uint32_t n_layers, bool tied) const;

  /// llama.cpp's llama_ftype, the value of general.file_type.
  uint32_t file_type() const;
};

/// A format by name, or "q4_k_m". Errors: kInvalidArgument listing what there is; with `encode` also for formats that
/// Tern only reads.
Result<TargetFormat> parse_target_format(const std::string& name, bool encode);

/// "f32, f16, bf16, q8_0, ...": for help and messages.
std::string target_format_names(bool encode);

}  // namespace tern::cli
