#include "engine/engine_impl.h"

namespace tern::engine {

/// Decides who draws the tokens of a request on the device of now.
void Engine::Impl::place_sampling(Answer& answer) const {
  answer.on_device =
      player->samples() && device_can_sample(answer.request.sampling, uint64_t{answer.sequence.final_tokens});
  answer.sequence.runs_ahead = answer.on_device && !answer.request.mask;
}

/// Forgets everything that was on the device. Tokens that were given out stay, and so does what they were drawn with:
/// random numbers are keyed by seed and position.
void Engine::Impl::lose_device(const Error& error, std::vector<Event>& events) {
  stats.device_losses++;
  player->abandon();
  player.reset();
  scheduler.restart(1);
  loss = error.to_string();
  events.push_back({.kind = Event::Kind::kDevice, .text = loss});
  find_device(events);
}

/// Tries the replacements that are left. No player afterwards: none of them is ready yet, or there are no more and all
/// requests have failed.
void Engine::Impl::find_device(std::vector<Event>& events) {
  while (!player && !lost_for_good) {
    if (next_replacement == model.replacements.size()) {
      lost_for_good = true;
      loss += " No other device can go on; load the model again.";
      return fail_all({ErrorCode::kDeviceLost, loss, {}}, events);
    }
    auto found = model.replacements[next_replacement]();
    if (found && !*found) return;  // not yet
    next_replacement++;
    const Result<void> adopted = found ? adopt(std::move(**found)) : std::unexpected(std::move(found).error());
    if (!adopted) {
      loss += fmt::format(" Another device failed: {}", adopted.error().to_string());
      continue;
    }
    for (const auto& [id, answer] : answers) place_sampling(*answer);
    events.push_back({.kind = Event::Kind::kDevice,
                      .text = fmt::format("The model was loaded again, on {}; answers go on.",
                                          model.playable.backend->target().device)});
  }
}

Result<void> Engine::Impl::adopt(Playable playable) {
  if (playable.plan.key != key) {
    return fail(ErrorCode::kInvalidArgument, "The plan for the new device was lowered for other options.");
  }
  model.playable = std::move(playable);
  player = TRY(Player::make(model.playable, model.vocab, pool.page_count()));
  scheduler.restart(player->depth());
  return {};
}

}  // namespace tern::engine
