// What a decoding step does on the GPU and how long each part takes: a few tokens are generated with a pass and two
// timestamps per dispatch, and the times averaged.
import type { DeviceInfo, Profile, ProfileStep } from "./api.js";
import type { Engine, Request } from "./engine.js";
import type { Span } from "./profiler.js";

type Generate = (request: Request, onToken: () => void) => Promise<unknown>;

const kNote =
  "Each kernel ran in a pass of its own, which is slower than they are together, and browsers round the times.";

export async function collectProfile(
  engine: Engine,
  device: DeviceInfo,
  tokens: number,
  generate: Generate,
): Promise<Profile> {
  const { player } = engine;
  const none = (note: string): Profile => ({ device, steps: [], totalMs: 0, tokens: 0, note });
  if (player === null) return none("The model runs on the CPU, whose steps are not timed one by one here.");
  if (!player.device.features.has("timestamp-query")) return none("This GPU or browser gives no timestamps.");
  const steps: Span[][] = [];
  let decoding = false; // the prompt's step is another program
  player.onProfile = (spans) => {
    if (decoding) steps.push(spans);
  };
  try {
    const request = { tokens: [0], max_tokens: tokens + 2, temperature: 0, ignore_eos: true };
    await generate(request, () => {
      decoding = true;
    });
    await player.written(); // the last times are on their way
  } finally {
    player.onProfile = null;
  }
  return { ...none(kNote), ...average(steps) };
}

function average(all: Span[][]): { steps: ProfileStep[]; totalMs: number; tokens: number } {
  const n = all.at(-1)?.length ?? 0;
  const same = all.filter((spans) => spans.length === n); // one program: others played more tokens
  const steps = (same.at(-1) ?? []).map(({ name }, i) => {
    const ms = same.reduce((sum, spans) => sum + (spans[i]?.ns ?? 0), 0) / same.length / 1e6;
    return profileStep(name, ms);
  });
  return { steps, totalMs: steps.reduce((sum, step) => sum + step.ms, 0), tokens: same.length };
}

/// name: kernel and value, as loaded_plan.ts joins them.
function profileStep(name: string, ms: number): ProfileStep {
  const space = name.indexOf(" ");
  const value = space < 0 ? name : name.slice(space + 1);
  const layer = /(?:^|\W)blk\.(\d+)\./.exec(value)?.[1];
  return { kernel: space < 0 ? name : name.slice(0, space), name: value, layer: layer ? Number(layer) : null, ms };
}
