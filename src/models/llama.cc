// Llama 2, 3, 3.1, 3.2 (Touvron et al. 2023; Grattafiori et al. 2024) and everything that has its shape. GGUF files of
// Mistral and Mixtral call themselves "llama" too, so windows and experts are read where a file has them.
#include "models/common/architecture.h"
#include "models/common/blocks.h"

namespace tern::models {
namespace {

constexpr Field kExpertCount{"expert_count", ""};
constexpr Field kExpertWidth{"feed_forward_length", ""};

Result<void> hparams(const Config& config, Hparams& hp) {
  const uint32_t n_experts = TRY(config.u32(kExpertCount, {0, 1024}, 0));
  return n_experts > 0 ? read_experts(config, kExpertWidth, hp) : Result<void>();
}

void build(ModelWriter& m) {
  ValueId x = m.embed();  // [T, d_model]
  for (uint32_t layer = 0; layer < m.hp.n_layers; ++layer) {
    m.layer(layer);
    x = m.add(x, attention(m, m.norm(x, "attn_norm")), "attn_residual");
    const ValueId y = m.norm(x, "ffn_norm");
    x = m.add(x, m.hp.experts.n > 0 ? mixture_of_experts(m, y) : feed_forward(m, y), "ffn_residual");
  }
  logits(m, x);
}

constexpr std::string_view kTypes[] = {"llama"};

}  // namespace

extern const Architecture llama;
const Architecture llama{
    .name = "llama",
    .gguf_name = "llama",
    .hf_types = kTypes,
    .gguf_interleaved_rope = true,
    .hparams = hparams,
    .build = build,
};

}  // namespace tern::models
