// The blocks that decoder models share. A model's file composes them; where a model does something of its own, its file
// does it in its own words.
#pragma once

#include "models/common/writer.h"

namespace tern::models {

struct AttentionOptions {
  Bias qkv_bias = Bias::kOptional;
  bool qk_norm = false;  // RMS norm of each head's query and key before they turn
};

/// Self-attention over x [T, d_model], already normalised; heads as hp says. -> [T, d_model]
ValueId attention(ModelWriter& m, ValueId x, const AttentionOptions& options = {});

/// The part of it after the projections: turn q [T, q_dim] and k [T, kv_dim] by their positions, write k and v
/// [T, kv_dim] to the layer's cache, attend, project. -> [T, d_model]
ValueId attend(ModelWriter& m, ValueId q, ValueId k, ValueId v);

/// down(act(gate(x)) * up(x)) (Shazeer 2020, "GLU variants improve transformer"). -> [T, d_model]
ValueId feed_forward(ModelWriter& m, ValueId x);

/// Mixture of experts: a router picks hp.experts.k of them for each token, each is a feed_forward of width
/// hp.experts.d_ff, and their answers are summed by the router's weights. -> [T, d_model]
ValueId mixture_of_experts(ModelWriter& m, ValueId x);

/// Final norm and head over the rows that are wanted; adds the outputs "logits" [R, vocab] and "pooled" [P, d_model],
/// sums of hidden states, which are what the head reads.
void logits(ModelWriter& m, ValueId x);

}  // namespace tern::models
