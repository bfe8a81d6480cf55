#include "models/common/hparams.h"

#include <algorithm>
#include <cmath>

#include "io/model_files.h"
#include "models/common/architecture.h"
#include "models/common/hparams_sources.h"
#include "models/common/tensor_names.h"

namespace tern::models {
namespace {

// The ranges are wide enough for any model of the coming years and narrow enough that products of two fit into 32 bits
// where shapes need it (heads * head_dim, experts * d_ff).
constexpr U32Range kLayerRange{1, 1024};
constexpr U32Range kWidthRange{1, 1u << 20};
constexpr U32Range kHeadRange{1, 4096};
constexpr U32Range kHeadDimRange{2, 4096};
constexpr U32Range kVocabRange{1, 1u << 24};
constexpr U32Range kExpertRange{1, 1024};
constexpr NumberRange kEpsRange{1e-12, 0.1};

constexpr Field kLayers{"block_count", "num_hidden_layers"};
constexpr Field kDModel{"embedding_length", "hidden_size"};
constexpr Field kDFf{"feed_forward_length", "intermediate_size"};
constexpr Field kHeads{"attention.head_count", "num_attention_heads"};
constexpr Field kKvHeads{"attention.head_count_kv", "num_key_value_heads"};
constexpr Field kKeyLength{"attention.key_length", "head_dim"};
constexpr Field kValueLength{"attention.value_length", ""};
constexpr Field kContext{"context_length", "max_position_embeddings"};
constexpr Field kVocab{"vocab_size", "vocab_size"};
constexpr Field kRmsEps{"attention.layer_norm_rms_epsilon", "rms_norm_eps"};
constexpr Field kTied{"", "tie_word_embeddings"};
constexpr Field kWindow{"attention.sliding_window", "sliding_window"};
constexpr Field kUseWindow{"", "use_sliding_window"};
constexpr Field kMaxWindowLayers{"", "max_window_layers"};
constexpr Field kWindowPeriod{"attention.sliding_window_pattern", "sliding_window_pattern"};
constexpr Field kHiddenAct{"", "hidden_act"};
constexpr Field kAttnScale{"attention.scale", ""};
constexpr Field kQueryScalar{"", "query_pre_attn_scalar"};
constexpr Field kExpertsGguf{"expert_count", "num_local_experts"};
constexpr Field kExpertsHf{"", "num_experts"};
constexpr Field kExpertsUsed{"expert_used_count", "num_experts_per_tok"};
constexpr Field kExpertsNorm{"expert_weights_norm", "norm_topk_prob"};

Result<void> read_heads(const Config& config, Hparams& hp) {
  hp.n_heads = TRY(config.u32(kHeads, kHeadRange));
  hp.n_kv_heads = TRY(config.u32(kKvHeads, {1, hp.n_heads}, hp.n_heads));
  if (hp.n_heads % hp.n_kv_heads != 0) {
    return fail(ErrorCode::kInvalidFile, "{} is {}, allowed are divisors of {}, which is {}.", config.name(kKvHeads),
                hp.n_kv_heads, config.name(kHeads), hp.n_heads);
  }
  if (!config.has(kKeyLength) && hp.d_model % hp.n_heads != 0) {
    return fail(ErrorCode::kInvalidFile, "{} is {}, allowed are divisors of {}, which is {}.", config.name(kHeads),
                hp.n_heads, config.name(kDModel), hp.d_model);
  }
  const uint32_t even_split = hp.d_model / hp.n_heads;
  hp.head_dim = TRY(config.u32(kKeyLength, kHeadDimRange, even_split));
  if (hp.head_dim < kHeadDimRange.min || hp.head_dim > kHeadDimRange.max || hp.head_dim % 2 != 0) {
    return fail(ErrorCode::kInvalidFile, "{} gives heads of {} columns, allowed are even numbers from {} to {}.",
                config.name(config.has(kKeyLength) ? kKeyLength : kHeads), hp.head_dim, kHeadDimRange.min,
                kHeadDimRange.max);
  }
  const uint32_t value_length = TRY(config.u32(kValueLength, kHeadDimRange, hp.head_dim));
  if (value_length != hp.head_dim) {
    return fail(ErrorCode::kUnsupported, "{} is {}, supported is {}'s {}.", config.name(kValueLength), value_length,
                config.name(kKeyLength), hp.head_dim);
  }
  hp.attn_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(hp.head_dim)));
  return {};
}

Result<void> read_vocab(const Config& config, const TensorNames& names, Hparams& hp) {
  const io::TensorInfo* table = names.find("token_embd.weight");
  if (!table || table->shape.size() != 2) {
    return fail(ErrorCode::kInvalidFile, "Tensor {} is missing or no matrix, expected the token embedding.",
                names.file_name("token_embd.weight"));
  }
  const uint64_t rows = table->shape[0];
  if (rows > kVocabRange.max) {
    return fail(ErrorCode::kInvalidFile, "Tensor {} has {} rows, allowed are {} to {}.", table->name, rows,
                kVocabRange.min, kVocabRange.max);
  }
  hp.vocab = static_cast<uint32_t>(rows);
  const auto tokens = TRY(config.files().metadata.find_strings("tokenizer.ggml.tokens"));  // empty for Hugging Face
  if (tokens.size() > rows) {
    return fail(ErrorCode::kInvalidFile, "tokenizer.ggml.tokens has {} tokens, but tensor {} has {} rows.",
                tokens.size(), table->name, rows);
  }
  const uint32_t stated = TRY(config.u32(kVocab, kVocabRange, hp.vocab));
  if (stated != hp.vocab && !config.is_gguf()) {  // GGUF's embedding may be padded
    return fail(ErrorCode::kInvalidFile, "{} is {}, but tensor {} has {} rows.", config.name(kVocab), stated,
                table->name, rows);
  }
  const bool tied = TRY(config.flag(kTied, false));
  hp.tied_embeddings = tied || !names.find("output.weight");
  return {};
}

Result<void> check_layers(const Config& config, const TensorNames& names, const Hparams& hp) {
  const uint64_t found = names.layer_count();
  if (found == hp.n_layers) return {};
  return fail(ErrorCode::kInvalidFile, "{} is {}, but the file has tensors of {} layers.", config.name(kLayers),
              hp.n_layers, found);
}

Result<void> read_end_tokens(const Config& config, Hparams& hp) {
  for (const uint32_t id : TRY(config.is_gguf() ? end_tokens_gguf(config) : end_tokens_hf(config))) {
    if (id >= hp.vocab) {
      return fail(ErrorCode::kInvalidFile, "{} is {}, allowed are ids below the vocabulary's {}.",
                  config.is_gguf() ? "An end-of-text id of the tokenizer (tokenizer.ggml.eos_token_id, eot or eom)"
                                   : "eos_token_id",
                  id, hp.vocab);
    }
    hp.end_tokens.push_back(static_cast<int32_t>(id));
  }
  return {};
}

// GGUF has no such field: its architectures have one activation each. Gemma's configs say "gelu" or
// "gelu_pytorch_tanh", but the checkpoints were trained with the latter.
Result<void> read_activation(const Config& config, const Architecture& arch, Hparams& hp) {
  hp.activation = arch.activation;
  if (arch.activation != graph::Activation::kSilu) return {};
  const std::string name = TRY(config.text(kHiddenAct, "silu"));
  if (name != "silu" && name != "swish") {
    return fail(ErrorCode::kUnsupported, "{} is {}, supported is silu.", config.name(kHiddenAct), shown(name));
  }
  return {};
}

Result<void> read_windows(const Config& config, uint32_t period, Hparams& hp) {
  const bool used = TRY(config.flag(kUseWindow, true));
  hp.windows.assign(hp.n_layers, 0);
  if (!used || !config.has(kWindow)) return {};
  const uint32_t window = TRY(config.u32(kWindow, {0, kContextRange.max}));
  if (window == 0) return {};
  std::optional<std::vector<bool>> windowed =
      TRY(config.is_gguf() ? windowed_layers_gguf(config, hp) : windowed_layers_hf(config, hp));
  if (!windowed) {
    const uint32_t n = TRY(config.u32(kWindowPeriod, {0, kLayerRange.max}, period));
    const uint32_t first = TRY(config.u32(kMaxWindowLayers, {0, UINT32_MAX}, 0));  // qwen2: layers before it see all
    windowed.emplace(hp.n_layers);
    for (uint32_t i = 0; i < hp.n_layers; ++i) (*windowed)[i] = i >= first && (n == 0 || (i + 1) % n != 0);
  }
  for (uint32_t i = 0; i < hp.n_layers; ++i) hp.windows[i] = (*windowed)[i] ? window : 0;
  return {};
}

Result<void> read_common(const Config& config, const Architecture& arch, const TensorNames& names, Hparams& hp) {
  hp.n_layers = TRY(config.u32(kLayers, kLayerRange));
  TRY(check_layers(config, names, hp));
  hp.d_model = TRY(config.u32(kDModel, kWidthRange));
  hp.d_ff = TRY(config.u32(kDFf, kWidthRange));
  TRY(read_heads(config, hp));
  hp.context = TRY(config.u32(kContext, kContextRange));
  hp.rms_eps = static_cast<float>(TRY(config.number(kRmsEps, kEpsRange, 1e-6)));
  TRY(read_activation(config, arch, hp));
  TRY(read_windows(config, arch.window_period, hp));
  TRY(read_vocab(config, names, hp));
  TRY(read_end_tokens(config, hp));
  return config.is_gguf() ? read_rope_gguf(config, hp) : read_rope_hf(config, hp);
}

}  // namespace

Result<Hparams> read_hparams(const io::ModelFiles& files, const Architecture& arch) {
  const Config config(files, std::string(arch.name));
  const TensorNames names(files, arch);
  const char* where = config.is_gguf() ? "GGUF metadata" : "config.json";
  Hparams hp;
  hp.arch = arch.name;
  hp.from_gguf = config.is_gguf();
  hp.norm_plus_one = arch.hf_norm_plus_one && !hp.from_gguf;
  TRY_CTX(read_common(config, arch, names, hp), "while reading hyperparameters from {}", where);
  hp.rope.interleaved = hp.local_rope.interleaved = arch.gguf_interleaved_rope && hp.from_gguf;
  if (arch.hparams) TRY_CTX(arch.hparams(config, hp), "while reading hyperparameters from {}", where);
  return hp;
}

Result<void> read_query_scale(const Config& config, uint32_t layers_of_27b, Hparams& hp) {
  constexpr NumberRange kRange{1e-3, 1e6};
  const bool is_27b = config.is_gguf() && hp.n_layers == layers_of_27b;
  const double usual = is_27b ? hp.d_model / hp.n_heads : hp.head_dim;
  const double scalar = TRY(config.number(kQueryScalar, kRange, usual));
  hp.attn_scale = static_cast<float>(TRY(config.number(kAttnScale, {1e-6, 1e3}, 1 / std::sqrt(scalar))));
  return {};
}

Result<void> read_experts(const Config& config, const Field& d_ff, Hparams& hp) {
  const Field& count = config.has(kExpertsHf) ? kExpertsHf : kExpertsGguf;
  hp.experts.n = TRY(config.u32(count, kExpertRange));
  hp.experts.k = TRY(config.u32(kExpertsUsed, {1, hp.experts.n}));
  hp.experts.d_ff = TRY(config.u32(d_ff, kWidthRange));
  hp.experts.normalise = TRY(config.flag(kExpertsNorm, hp.experts.normalise));
  return {};
}

}  // namespace tern::models
