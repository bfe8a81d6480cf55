// The semantic ops. Each says in one line what it computes; x, y are activations [rows, cols], W a weight [n, k].
// ref/ is their executable definition. Fused ops are made by passes only, never by models.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace tern::graph {

enum class Op : uint32_t {
  // leaves
  kWeight,  // () -> a weight of the graph (attrs: WeightAttrs); no step computes it
  // the step's inputs are read by ops themselves: token ids (embed), positions (rope, kv_write, attention)
  kEmbed,       // (W[vocab, d] ...) -> [T, d]: row token_id of W, times attrs.factor. Several W (made by shard_weights)
                // are one table, their rows one after the other
  kGatherRows,  // (x[T, d]) -> [R, d]: the rows whose logits are wanted
  // dense
  kLinear,    // (x[m, k], W[n, k], bias[1, n]?) -> [m, n]: x W^T + bias
  kRmsNorm,   // (x[m, c], w[1, group]) -> [m, c]: in groups of `group` columns x / sqrt(mean(x^2) + eps) * w
  kPoolNorm,  // (x[T, d], w[1, d]) -> [P, d]: of each of the step's ranges of tokens the sum of rms_norm(x, w)
  kAdd,       // (x, y) -> x + y; y may have one constant row, which is then added to every row
  kScale,     // (x) -> factor * x
  kSoftcap,   // (x) -> cap * tanh(x / cap)
  kGlu,       // (gate[m, f], up[m, f]) -> [m, f]: act(gate) * up
  kSlice,     // (x[m, c]) -> [m, count]: columns [begin, begin + count); a view, costs nothing
  kConcat,    // (x0[m, c0], x1[m, c1], ...) -> [m, c0 + c1 + ...]; costs nothing: producers write into its columns, so
              // each x is computed by a node, is no slice, and is in one concat only. Made by passes
  // attention
  kRope,       // (x[T, h * head_dim], freqs[1, rot_dim / 2]) -> rotated by position * freqs, times magnitude
  kKvWrite,    // (k[T, kv_heads * head_dim], v[same]) -> (): writes this step's keys and values of `layer`
  kAttention,  // (q[T, heads * head_dim]) -> [T, heads * head_dim]: softmax(softcap(q K^T * scale)) V over layer's
               // cache
  // mixture of experts: E experts, k of them for each token
  kRouteTopk,       // (logits[T, E]) -> (ids i32[T, k], weights f32[T, k]): softmax, k largest, optionally renormalised
  kLinearExperts,   // (x[T or T*k, kk], W[E * n, kk] ..., ids[T, k]) -> [T * k, n]: row t*k+j by expert ids[t, j].
                    // Several
                    // W (made by shard_weights) hold whole experts each, one after the other
  kCombineExperts,  // (y[T * k, d], weights[T, k]) -> [T, d]: sum over j of weights[t, j] * y[t * k + j]
  // fused (made by passes)
  kAddRmsNorm,   // (x, y, w) -> (x + y, rms_norm(x + y, w)): residual + norm
  kLinearAdd,    // (x, W, bias?, residual[m, n]) -> linear + residual        (attrs.has_bias says which inputs follow)
  kLinearGlu,    // (x, W[2f, k]) -> [m, f]: act(first half) * second half    (W: gate rows, then up rows)
  kRopeKvWrite,  // (q, k, v, freqs) -> q rotated; k rotated and v written to the cache of `layer`
};
inline constexpr uint32_t kOpCount = static_cast<uint32_t>(Op::kRopeKvWrite) + 1;

enum class Activation : uint32_t { kSilu, kGeluTanh };

// Attributes: 4-byte fields only, so that a plan carries them as words.
struct NoAttrs {
  bool operator==(const NoAttrs&) const = default;
};
struct WeightAttrs {
  uint32_t weight;
  bool operator==(const WeightAttrs&) const = default;
};
struct ScaleAttrs {
  float factor;
  bool operator==(const ScaleAttrs&) const = default;
};  // embed, scale
struct NormAttrs {
  float eps;
  uint32_t group;
  bool operator==(const NormAttrs&) const = default;
};
struct SoftcapAttrs {
  float cap;
  bool operator==(const SoftcapAttrs&) const = default;
};
struct GluAttrs {
  Activation activation;
  bool operator==(const GluAttrs&) const = default;
};
struct SliceAttrs {
  uint32_t begin, count;
  bool operator==(const SliceAttrs&) const = default;
};
struct LinearAttrs {
  uint32_t has_bias = 0;
  Activation activation = Activation::kSilu;  // linear_glu only
  bool operator==(const LinearAttrs&) const = default;
};
struct RopeAttrs {
  uint32_t head_dim;
  uint32_t rot_dim;      // the first rot_dim columns of a head turn, the rest pass
  uint32_t interleaved;  // 1: pairs (2i, 2i+1), as in GGUF's llama; 0: pairs (i, i + rot_dim/2), as in Hugging Face
  float magnitude;       // factor on cos and sin (long-context scalings), else 1
  bool operator==(const RopeAttrs&) const = default;
};
struct KvAttrs {
  uint32_t layer, n_kv_heads, head_dim;
  bool operator==(const KvAttrs&) const = default;
};
struct AttentionAttrs {
  uint32_t layer, n_heads, n_kv_heads, head_dim;
  float scale;
  float softcap;    // 0: none
  uint32_t window;  // position p sees (p - window, p]; 0: all
  bool operator==(const AttentionAttrs&) const = default;
};
struct RopeKvAttrs {
  RopeAttrs rope;
  KvAttrs kv;
  bool operator==(const RopeKvAttrs&) const = default;
};
struct RouteAttrs {
  uint32_t k, normalise;
  bool operator==(const RouteAttrs&) const = default;
};
struct ExpertsAttrs {
  uint32_t n_experts, k;
  bool operator==(const ExpertsAttrs&) const = default;
};

using Attrs = std::variant<NoAttrs, WeightAttrs, ScaleAttrs, NormAttrs, SoftcapAttrs, GluAttrs, SliceAttrs, LinearAttrs,
                           RopeAttrs, KvAttrs, AttentionAttrs, RopeKvAttrs, RouteAttrs, ExpertsAttrs>;

/// "linear", "rms_norm", ... as dumps, traces and messages show it.
std::string_view op_name(Op op);

}  // namespace tern::graph
