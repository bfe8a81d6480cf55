// Drawing of tokens on the device (graph/step.h: StepSample), two dispatches after the logits.
#pragma once

#include "backends/webgpu/emitter.h"

namespace tern::backends::webgpu {

/// Emits the drawing of every wanted row's token from the output "logits" into the output "tokens" and the state. Rows
/// that are drawn lose their logits: penalties and masks are applied in place. Does nothing for graphs without logits,
/// with a vocabulary of 2^24 or more, or whose values are all to be looked at.
Result<void> emit_sampling(Emitter& emitter);

}  // namespace tern::backends::webgpu
