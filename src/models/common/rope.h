// Frequencies of rotary position embeddings (Su et al. 2021) and of their long-context scalings.
#pragma once

#include <cstdint>
#include <vector>

#include "models/common/hparams.h"

namespace tern::models {

struct RopeTable {
  std::vector<float> freqs;  // [rot_dim / 2], radians per position; computed in double
  float magnitude = 1;       // factor on cos and sin
};

/// context: positions that will be used at most; longrope chooses between its short and long factors by it.
RopeTable rope_table(const Rope& rope, uint32_t context);

}  // namespace tern::models
