// The player on a real WebGPU (Dawn for Node on whatever Vulkan there is), with a plan whose answers are known.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDevice } from "../src/gpu.js";
import { nodeGpu } from "../src/node.js";
import { Player, Poll } from "../src/player.js";
import { kReadbackPlaces } from "../src/readback.js";
import type { Span } from "../src/profiler.js";
import { sumPlan, writePlan } from "./plan_writer.js";

let gpu: GPU;
const players: Player[] = [];

async function newPlayer(): Promise<Player> {
  const [device] = await openDevice(gpu);
  const player = new Player(device);
  players.push(player);
  return player;
}

function bytesOf(...words: number[]): Uint8Array {
  return new Uint8Array(new Uint32Array(words).buffer);
}

function loadSum(player: Player, factor: number): number {
  const weight = player.alloc(4, "scale");
  player.write(weight, 0, bytesOf(factor));
  return player.load(writePlan(sumPlan()), [weight], [], []);
}

async function read(player: Player, ticket: number, output: number, n: number): Promise<number[]> {
  const out = new Int32Array(n);
  while (player.poll(ticket, output, new Uint8Array(out.buffer)) === Poll.Pending) await player.settled();
  assert.equal(player.lost, null);
  return [...out];
}

const counts = (t: number) => ({ t, r: t, s: 1, maxKv: t, p: 0 });

before(async () => {
  gpu = await nodeGpu();
});
after(() => {
  for (const player of players) player.destroy();
});

test("steps play the program of their size; state survives them, in order", async () => {
  const player = await newPlayer();
  const plan = loadSum(player, 3);
  await player.ready();
  const first = player.submit(plan, counts(2), bytesOf(1, 2), 3);
  assert.deepEqual(await read(player, first, 0, 2), [3, 6]);
  assert.deepEqual(await read(player, first, 1, 2), [-3, -6]);
  const second = player.submit(plan, counts(4), bytesOf(1, 1, 1, 1), 1);
  assert.deepEqual(await read(player, second, 0, 4), [6, 9, 3, 3]);
  assert.throws(() => player.poll(second, 1, new Uint8Array(4)), /Output 1/, "not asked for");
});

test("steps may be submitted before the kernels are compiled, and several at once", async () => {
  const player = await newPlayer();
  const plan = loadSum(player, 1);
  const tickets = Array.from({ length: kReadbackPlaces }, () => player.submit(plan, counts(1), bytesOf(5), 1));
  for (const [i, ticket] of tickets.entries()) assert.deepEqual(await read(player, ticket, 0, 1), [5 * (i + 1)]);
});

test("results live until as many later steps were submitted as there are places", async () => {
  const player = await newPlayer();
  const plan = loadSum(player, 1);
  await player.ready();
  const first = player.submit(plan, counts(1), bytesOf(7), 1);
  let last = first;
  for (let i = 1; i < kReadbackPlaces; ++i) last = player.submit(plan, counts(1), bytesOf(0), 1);
  await read(player, last, 0, 1);
  assert.deepEqual(await read(player, first, 0, 1), [7]);
  player.submit(plan, counts(1), bytesOf(0), 1);
  assert.equal(player.poll(first, 0, new Uint8Array(4)), Poll.DeviceLost, "gone");
});

test("what breaks the plan's limits is refused in a sentence", async () => {
  const player = await newPlayer();
  const plan = loadSum(player, 1);
  assert.throws(() => player.submit(plan, counts(5), bytesOf(1), 1), /5 tokens/);
  assert.throws(() => player.submit(plan, counts(1), new Uint8Array(20), 1), /block has 20 bytes/);
  assert.throws(() => player.submit(99, counts(1), bytesOf(1), 1), /no plan 99/);
  assert.throws(() => player.load(writePlan(sumPlan()), [], [], []), /came with 0 weights/);
  const small = sumPlan();
  (small.slots[1] as { bytes: number }).bytes = 64;
  const weight = player.alloc(4, "scale");
  assert.throws(() => player.load(writePlan(small), [weight], [], []), /weight scale has 4 bytes/);
  assert.throws(() => player.alloc(2 ** 50, "huge"), /at most/);
  assert.throws(() => player.write(weight, 0, new Uint8Array(8)), /buffer of 4/);
});

test("a kernel that does not compile is named", async () => {
  const player = await newPlayer();
  const bad = sumPlan();
  (bad.pipelines[1] as { source: string }).source += "\nfn f() -> u32 { return 1.5; }";
  const weight = player.alloc(4, "scale");
  const plan = player.load(writePlan(bad), [weight], [], []);
  const ticket = player.submit(plan, counts(1), bytesOf(1), 1);
  await assert.rejects(player.ready(), /Kernel negate does not compile on .*line/);
  assert.equal(player.poll(ticket, 0, new Uint8Array(4)), Poll.DeviceLost);
});

test("a lost GPU ends all steps and says so", async () => {
  const player = await newPlayer();
  const plan = loadSum(player, 1);
  await player.ready();
  const ticket = player.submit(plan, counts(1), bytesOf(1), 1);
  player.device.destroy(); // as a driver does it: the player learns of it by promise
  while (player.poll(ticket, 0, new Uint8Array(4)) !== Poll.DeviceLost) await player.settled();
  assert.match(player.lost ?? "", /lost/);
  const later = player.submit(plan, counts(1), bytesOf(1), 1);
  assert.equal(player.poll(later, 0, new Uint8Array(4)), Poll.DeviceLost);
  await assert.rejects(player.ready(), /lost/);
});

test("profiling gives a time for every dispatch", async (t) => {
  const player = await newPlayer();
  if (!player.device.features.has("timestamp-query")) return t.skip("no timestamps here");
  const plan = loadSum(player, 1);
  await player.ready();
  const spans = await new Promise<Span[]>((resolve) => {
    player.onProfile = resolve;
    player.submit(plan, counts(2), bytesOf(1, 2), 0);
  });
  assert.deepEqual(
    spans.map((span) => span.name),
    ["sum sum of the step", "negate its negative"],
  );
  assert.ok(spans.every((span) => span.ns >= 0));
});
