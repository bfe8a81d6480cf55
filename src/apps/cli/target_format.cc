#include "apps/cli/target_format.h"

#include <charconv>
#include <optional>
#include <utility>

namespace tern::cli {
namespace {

constexpr std::string_view kMixName = "q4_k_m";

bool in_gguf(const FormatInfo& info) {
  return std::to_underlying(info.id) < 0x100;
}

// The rule of the files that are called Q4_K_M: the first and last eighth of the layers, and every third between.
bool is_sensitive_layer(uint32_t layer, uint32_t n_layers) {
  const uint32_t eighth = n_layers / 8;
  return layer < eighth || layer >= 7 * eighth || (layer - eighth) % 3 == 2;
}

// "blk.<layer>.<rest>".
std::optional<std::pair<uint32_t, std::string_view>> layer_of(std::string_view tensor) {
  if (!tensor.starts_with("blk.")) return std::nullopt;
  tensor.remove_prefix(4);
  uint32_t layer = 0;
  const auto [end, error] = std::from_chars(tensor.data(), tensor.data() + tensor.size(), layer);
  if (error != std::errc() || end == tensor.data() + tensor.size() || *end != '.') return std::nullopt;
  return std::pair(layer, tensor.substr(static_cast<size_t>(end - tensor.data()) + 1));
}

}  // namespace

Format TargetFormat::of(std::string_view tensor, const std::vector<uint64_t>& shape, uint32_t n_layers,
                        bool tied) const {
  const auto layer = layer_of(tensor);
  if (shape.size() < 2 || (layer && layer->second == "ffn_gate_inp.weight")) return Format::kF32;
  if (!mix) return format;
  if (tensor == (tied ? "token_embd.weight" : "output.weight")) return Format::kQ6_K;
  const bool sensitive = layer && is_sensitive_layer(layer->first, n_layers) &&
                         (layer->second.starts_with("attn_v.") || layer->second.starts_with("ffn_down"));
  return sensitive ? Format::kQ6_K : format;
}

uint32_t TargetFormat::file_type() const {
  if (mix) return 15;
  switch (format) {
    case Format::kF32:
      return 0;
    case Format::kF16:
      return 1;
    case Format::kQ4_0:
      return 2;
    case Format::kQ4_1:
      return 3;
    case Format::kQ8_0:
      return 7;
    case Format::kQ5_0:
      return 8;
    case Format::kQ5_1:
      return 9;
    case Format::kQ2_K:
      return 10;
    case Format::kQ3_K:
      return 11;
    case Format::kQ4_K:
      return 14;
    case Format::kQ5_K:
      return 16;
    case Format::kQ6_K:
      return 18;
    case Format::kIQ4_NL:
      return 25;
    case Format::kIQ4_XS:
      return 30;
    case Format::kBF16:
      return 32;
    case Format::kMXFP4:
      return 38;
    case Format::kAWQ:
    case Format::kINT8:
      break;
  }
  std::unreachable();  // parse_target_format() refuses what a GGUF cannot hold
}

Result<TargetFormat> parse_target_format(const std::string& name, bool encode) {
  if (name == kMixName || name == "Q4_K_M") return TargetFormat{std::string(kMixName), Format::kQ4_K, true};
  const auto format = formats::from_name(name);
  if (!format || !in_gguf(formats::info(*format)) || (encode && !formats::can_encode(*format))) {
    return fail(ErrorCode::kInvalidArgument, "--format is \"{}\", which cannot be written; there are {}.", name,
                target_format_names(encode));
  }
  return TargetFormat{std::string(formats::info(*format).name), *format, false};
}

std::string target_format_names(bool encode) {
  std::string names;
  for (const Format id : {Format::kF32, Format::kF16, Format::kBF16, Format::kQ8_0, Format::kQ6_K, Format::kQ5_K,
                          Format::kQ5_1, Format::kQ5_0, Format::kQ4_K, Format::kQ4_1, Format::kQ4_0, Format::kIQ4_NL,
                          Format::kIQ4_XS, Format::kMXFP4, Format::kQ3_K, Format::kQ2_K}) {
    if (encode && !formats::can_encode(id)) continue;
    names += fmt::format("{}, ", formats::info(id).name);
  }
  return names + std::string(kMixName);
}

}  // namespace tern::cli
