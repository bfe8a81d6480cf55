// Plans that a hostile or broken sender could give the player: each must end in a PlanError that says what is wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PlanError, readPlan } from "../src/plan.js";
import type { TestPlan } from "./plan_writer.js";
import { sumPlan, writePlan } from "./plan_writer.js";

const kStep = { pipeline: 0, first: 0, inputs: 2, outputs: 2, grid: [], name: 0 };

/// What is broken, how, and a word of the sentence.
const broken: [string, (plan: TestPlan) => void, RegExp][] = [
  ["another backend", (p) => (p.backend = "cpu"), /backend "cpu"/],
  ["no tokens", (p) => (p.key[0] = 0), /max_tokens is 0/],
  ["too many rows", (p) => (p.key[1] = 70000), /max_rows is 70000/],
  ["unknown cache", (p) => (p.key[3] = 9), /kv_format is 9/],
  ["pages of no token", (p) => (p.key[4] = 0), /page_tokens is 0/],
  ["too many layers", (p) => (p.layers[0] = 2 ** 31), /n_layers is/],
  ["heads of width 0", (p) => (p.layers = [1, 1, 0]), /head_dim is 0/],
  ["unknown slot", (p) => ((p.slots[0] as { kind: number }).kind = 17), /kind 17/],
  ["buffer beyond the arena", (p) => ((p.slots[3] as { index: number }).index = 2), /index 2 of 2/],
  ["weight beyond the weights", (p) => ((p.slots[1] as { index: number }).index = 1), /index 1 of 1/],
  ["cache without layers", (p) => ((p.slots[1] as { kind: number }).kind = 2), /index 0 of 0/],
  ["slot beyond its buffer", (p) => ((p.slots[4] as { bytes: number }).bytes = 257), /ends beyond/],
  ["offset beyond its buffer", (p) => ((p.slots[4] as { offset: number }).offset = 2 ** 40), /ends beyond/],
  ["huge offset", (p) => ((p.slots[4] as { offset: number }).offset = 2 ** 63), /bytes at/],
  ["misaligned slot", (p) => ((p.slots[3] as { offset: number }).offset = 64), /multiple of 256/],
  ["weight at an offset", (p) => ((p.slots[1] as { offset: number }).offset = 256), /begins at 256/],
  ["params of 3 bytes", (p) => ((p.slots[0] as { bytes: number }).bytes = 3), /multiple of 4/],
  ["op instead of kernel", (p) => ((p.pipelines[0] as { source: string }).source = ""), /no source/],
  ["kernel without bindings", (p) => ((p.pipelines[0] as { access: number[] }).access = []), /no bindings/],
  ["unknown access", (p) => ((p.pipelines[1] as { access: number[] }).access = [0, 7]), /access .* is 7/],
  ["binding of no slot", (p) => ((p.bindings[0] as { slot: number }).slot = 99), /slot 99/],
  ["unknown rows", (p) => ((p.bindings[0] as { symbol: number }).symbol = 4), /symbol .* is 4/],
  ["no columns", (p) => ((p.bindings[3] as { cols: number }).cols = 0), /columns/],
  ["columns beyond the row", (p) => ((p.bindings[3] as { col0: number }).col0 = 1), /columns/],
  ["rows beyond the slot", (p) => ((p.bindings[3] as { multiple: number }).multiple = 2), /more than the 16/],
  ["unknown pipeline", (p) => p.steps.push({ ...kStep, pipeline: 5 }), /pipeline 5 of 2/],
  ["bindings beyond the end", (p) => p.steps.push({ ...kStep, first: 4 }), /binding 8 of 5/],
  ["too few bindings", (p) => p.steps.push({ ...kStep, outputs: 1 }), /has 3 bindings/],
  ["division by 0", (p) => p.steps.push({ ...kStep, grid: [[0, 0, 0, 0, 0, 1, 0]] }), /divisor/],
  ["huge grid", (p) => p.steps.push({ ...kStep, grid: [[2 ** 25, 0, 0, 0, 0, 1, 1]] }), /coefficient/],
  ["huge grid of pools", (p) => p.steps.push({ ...kStep, grid: [[0, 0, 0, 0, 2 ** 25, 1, 1]] }), /coefficient/],
  ["unknown name", (p) => p.steps.push({ ...kStep, name: 2 }), /string 2 of 2/],
  ["writes to a weight", (p) => ((p.pipelines[0] as { access: number[] }).access[1] = 1), /writes to a weight/],
  ["writes to params", (p) => ((p.pipelines[0] as { access: number[] }).access[0] = 1), /writes to a weight/],
  ["reads what it writes", (p) => ((p.bindings[3] as { slot: number }).slot = 4), /binds one buffer/],
  ["reads the buffer it writes", (p) => (p.slots[4] = { kind: 0, index: 0, offset: 0, bytes: 16 }), /one buffer/],
  ["no programs", (p) => (p.programs = []), /programs play 0 of 3/],
  ["steps of no program", (p) => (p.programs = [[4, 0, 2]]), /play 2 of 3/],
  ["programs out of order", (p) => p.programs.reverse(), /A program for 4/],
  ["programs that end early", (p) => (p.programs = [[3, 0, 3]]), /not up to 4/],
  ["output of the params", (p) => p.outputs.push({ name: "x", binding: { ...sums, slot: 0 } }), /arena/],
  ["output of no slot", (p) => p.outputs.push({ name: "x", binding: { ...sums, slot: 7 } }), /slot 7/],
  ["output of part of a row", (p) => p.outputs.push({ name: "x", binding: { ...sums, multiple: 0 } }), /rows/],
];
const sums = { slot: 3, symbol: 1, multiple: 1, cols: 1 };

test("a plan is read as it was written", () => {
  const plan = readPlan(writePlan(sumPlan()));
  assert.deepEqual(plan.key, { maxTokens: 4, maxRows: 4, maxSeqs: 2, kvFormat: 0, pageTokens: 32, maxPages: 8 });
  assert.deepEqual(plan.arena, [512, 256]);
  assert.deepEqual(
    plan.steps.map((s) => s.name),
    ["sum of the step", "its negative", "sum of the step"],
  );
  assert.deepEqual(
    plan.outputs.map((o) => o.name),
    ["sums", "negatives"],
  );
});

for (const [name, damage, message] of broken) {
  test(`broken plan: ${name}`, () => {
    const plan = structuredClone(sumPlan());
    damage(plan);
    assert.throws(() => readPlan(writePlan(plan)), { message });
    assert.throws(() => readPlan(writePlan(plan)), PlanError);
  });
}

test("a plan cut off anywhere, or with words behind it, is refused", () => {
  const words = writePlan(sumPlan());
  for (let n = 0; n < words.length; ++n) assert.throws(() => readPlan(words.slice(0, n)), PlanError, `${n} words`);
  assert.throws(() => readPlan(new Uint32Array([...words, 0])), /follow/);
});

test("counts that claim more than there is cost no memory", () => {
  const words = writePlan(sumPlan());
  for (let i = 0; i < words.length; ++i) {
    for (const value of [0, 1, 0x7fffffff, 0xffffffff]) {
      const changed = words.slice();
      changed[i] = value;
      try {
        readPlan(changed);
      } catch (error) {
        assert.ok(error instanceof PlanError, `word ${i} = ${value}: ${String(error)}`);
      }
    }
  }
});
