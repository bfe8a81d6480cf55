// A Plan as the engine wrote it (src/graph/plan.h, plan_file.cc): a flat stream of u32, read here into what the player
// needs. A plan is untrusted: every count, index and range is checked before a GPU object is made from it, because a
// broken plan must end in a sentence, never in another tab's memory or a lost device.

export const kMagic = 0x4e525054;
export const kVersion = 3;
/// Bindings of storage buffers begin at multiples of this (WebGPU's default minStorageBufferOffsetAlignment).
export const kBindingAlignment = 256;
const kMaxBytes = 2 ** 48;
const kMaxCoefficient = 2 ** 24;
const kMaxCount = 2 ** 16;

export enum SlotKind {
  Arena,
  Weight,
  Keys,
  Values,
  Params,
  State,
}

export enum Access {
  Read,
  ReadWrite,
}

/// T tokens, R rows of logits, S sequences, the longest KV length among them, and P pools: ranges of tokens whose
/// hidden states are summed up.
export interface StepCounts {
  t: number;
  r: number;
  s: number;
  maxKv: number;
  p: number;
}

/// ceil((t*T + r*R + s*S + kv*maxKv + p*P + constant) / divisor)
export interface GridExpr {
  t: number;
  r: number;
  s: number;
  kv: number;
  p: number;
  constant: number;
  divisor: number;
}

export interface PlanKey {
  maxTokens: number;
  maxRows: number;
  maxSeqs: number;
  kvFormat: number;
  pageTokens: number;
  maxPages: number;
}

export interface PlanSlot {
  kind: SlotKind;
  index: number;
  offset: number; // bytes
  bytes: number;
}

export interface PlanPipeline {
  name: string;
  source: string;
  access: Access[];
}

export interface PlanBinding {
  slot: number;
  rowsSymbol: number; // what the number of rows is a multiple of: 0 one, 1 T, 2 R, 3 P
  rowsMultiple: number;
  cols: number;
  col0: number;
  rowStride: number;
}

export interface PlanStep {
  pipeline: number;
  firstBinding: number;
  nBindings: number;
  grid: [GridExpr, GridExpr, GridExpr];
  name: string; // the graph node it came from
}

export interface PlanProgram {
  maxTokens: number;
  firstStep: number;
  nSteps: number;
}

export interface PlanOutput {
  name: string;
  binding: PlanBinding;
}

export interface Plan {
  key: PlanKey;
  nLayers: number;
  pageBytes: number; // of one layer's keys, as of its values
  arena: number[]; // bytes of each buffer
  weights: string[]; // names
  slots: PlanSlot[];
  pipelines: PlanPipeline[];
  bindings: PlanBinding[];
  steps: PlanStep[];
  programs: PlanProgram[];
  outputs: PlanOutput[];
}

export class PlanError extends Error {}

export function gridAt(grid: GridExpr, n: StepCounts): number {
  const sum = grid.t * n.t + grid.r * n.r + grid.s * n.s + grid.kv * n.maxKv + grid.p * n.p + grid.constant;
  return Math.ceil(sum / grid.divisor);
}

export function rowsAt(binding: PlanBinding, n: { t: number; r: number; p: number }): number {
  return binding.rowsMultiple * ([1, n.t, n.r, n.p][binding.rowsSymbol] ?? 1);
}

class Reader {
  #words: Uint32Array;
  #bytes: Uint8Array;
  #at = 2; // behind magic and version

  constructor(words: Uint32Array) {
    this.#words = words;
    this.#bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  }

  u32(): number {
    const word = this.#words[this.#at];
    if (word === undefined) throw new PlanError(`The plan is cut off at word ${this.#at}.`);
    this.#at += 1;
    return word;
  }

  u64(): number {
    const low = this.u32();
    return low + this.u32() * 2 ** 32; // beyond 2^53 inexact, and beyond kMaxBytes an error anyway
  }

  text(): string {
    const size = this.#count("bytes of text", 4);
    const begin = this.#at * 4;
    this.#at += Math.ceil(size / 4);
    return new TextDecoder().decode(this.#bytes.slice(begin, begin + size));
  }

  list<T>(item: (reader: Reader) => T): T[] {
    const size = this.#count("items", 1);
    const items: T[] = [];
    for (let i = 0; i < size; ++i) items.push(item(this));
    return items;
  }

  /// Passes over a counted list of words.
  skipWords(): void {
    const size = this.#count("words", 1);
    this.#at += size;
  }

  finish(): void {
    const left = this.#words.length - this.#at;
    if (left !== 0) throw new PlanError(`The plan ends at word ${this.#at}, but ${left} words follow.`);
  }

  /// A count of things of which `perWord` fit into a word; more than the words left can hold is an error.
  #count(what: string, perWord: number): number {
    const n = this.u32();
    const left = this.#words.length - this.#at;
    if (n <= left * perWord) return n;
    throw new PlanError(`Word ${this.#at - 1} claims ${n} ${what}, but ${left} words are left.`);
  }
}

function readGrid(r: Reader): GridExpr {
  return { t: r.u32(), r: r.u32(), s: r.u32(), kv: r.u32(), p: r.u32(), constant: r.u32(), divisor: r.u32() };
}

function readWeight(r: Reader): string {
  const name = r.text();
  for (let i = 0; i < 3; ++i) r.u32(); // format, rows, cols: the engine's business
  r.list((slice) => [slice.u32(), slice.u32(), slice.u32()]);
  r.skipWords(); // constant
  return name;
}

function readPipeline(r: Reader): PlanPipeline {
  const name = r.text();
  const source = r.text();
  r.u32(); // op
  r.skipWords(); // constants
  return { name, source, access: r.list((s) => s.u32()) };
}

function readBinding(r: Reader): PlanBinding {
  const slot = r.u32();
  r.u32(); // dtype
  const [rowsSymbol, rowsMultiple] = [r.u32(), r.u32()];
  return { slot, rowsSymbol, rowsMultiple, cols: r.u32(), col0: r.u32(), rowStride: r.u32() };
}

function readStep(r: Reader): PlanStep & { nameIndex: number } {
  const [pipeline, firstBinding, nBindings] = [r.u32(), r.u32(), r.u32() + r.u32()];
  const grid: [GridExpr, GridExpr, GridExpr] = [readGrid(r), readGrid(r), readGrid(r)];
  return { pipeline, firstBinding, nBindings, grid, nameIndex: r.u32(), name: "" };
}

/// Throws PlanError for what is no valid plan of the webgpu backend.
export function readPlan(words: Uint32Array): Plan {
  if (words.length < 2 || words[0] !== kMagic) {
    throw new PlanError(`This is no plan: it has ${words.length} words and does not begin with the plan's mark.`);
  }
  if (words[1] !== kVersion) throw new PlanError(`The plan has version ${words[1]}, expected ${kVersion}.`);
  const r = new Reader(words);
  const key: PlanKey = {
    maxTokens: r.u32(),
    maxRows: r.u32(),
    maxSeqs: r.u32(),
    kvFormat: r.u32(),
    pageTokens: r.u32(),
    maxPages: r.u32(),
  };
  const [nLayers, nKvHeads, headDim] = [r.u32(), r.u32(), r.u32()];
  const backend = r.text();
  if (backend !== "webgpu") throw new PlanError(`The plan is for the backend "${backend}", expected "webgpu".`);
  const arena = r.list((a) => a.u64());
  const weights = r.list(readWeight);
  const slots = r.list((s) => ({ kind: s.u32(), index: s.u32(), offset: s.u64(), bytes: s.u64() }));
  const pipelines = r.list(readPipeline);
  const bindings = r.list(readBinding);
  const steps = r.list(readStep);
  const programs = r.list((p) => ({ maxTokens: p.u32(), firstStep: p.u32(), nSteps: p.u32() }));
  const outputs = r.list((o) => ({ name: o.text(), binding: readBinding(o) }));
  const strings = r.list((s) => s.text());
  r.finish();
  for (const step of steps) {
    const name = strings[step.nameIndex];
    if (name === undefined) throw new PlanError(`A step names string ${step.nameIndex} of ${strings.length}.`);
    step.name = name;
  }
  checkKey(key, nLayers, nKvHeads, headDim);
  const pageBytes = kvBytes(key.kvFormat, key.pageTokens * nKvHeads * headDim);
  const plan = { key, nLayers, pageBytes, arena, weights, slots, pipelines, bindings, steps, programs, outputs };
  checkPlan(plan);
  return plan;
}

function check(good: boolean, message: string): asserts good {
  if (!good) throw new PlanError(message);
}

function within(name: string, value: number, least: number, most: number): void {
  check(value >= least && value <= most, `${name} is ${value}, expected ${least} to ${most}.`);
}

function checkKey(key: PlanKey, nLayers: number, nKvHeads: number, headDim: number): void {
  within("max_tokens", key.maxTokens, 1, kMaxCount);
  within("max_rows", key.maxRows, 1, kMaxCount);
  within("max_seqs", key.maxSeqs, 1, kMaxCount);
  within("kv_format", key.kvFormat, 0, 2);
  within("page_tokens", key.pageTokens, 1, kMaxCount);
  within("max_pages", key.maxPages, 1, 2 ** 28);
  within("n_layers", nLayers, 0, kMaxCount);
  if (nLayers === 0) return;
  within("n_kv_heads", nKvHeads, 1, kMaxCount);
  within("head_dim", headDim, 1, kMaxCount);
}

/// Bytes of n cached values: f32, f16, q8_0 (blocks of 32 values in 34 bytes).
function kvBytes(format: number, n: number): number {
  if (format === 2) return (n / 32) * 34;
  return n * (format === 0 ? 4 : 2);
}

function checkPlan(plan: Plan): void {
  plan.slots.forEach((slot, i) => checkSlot(plan, slot, `Slot ${i} of the plan`));
  plan.bindings.forEach((binding, i) => checkBinding(plan, binding, `Binding ${i} of the plan`));
  plan.pipelines.forEach((p) => {
    check(p.access.length > 0, `Kernel ${p.name} has no bindings.`);
    check(p.source !== "", `Pipeline ${p.name} has no source; it is not a kernel.`);
    p.access.forEach((access) => within(`An access of kernel ${p.name}`, access, 0, 1));
  });
  plan.steps.forEach((step, i) => checkStep(plan, step, `Step ${i} (${step.name}) of the plan`));
  checkPrograms(plan);
  plan.outputs.forEach((output) => {
    const name = `Output ${output.name} of the plan`;
    checkBinding(plan, output.binding, name);
    const slot = plan.slots[output.binding.slot];
    const whole = output.binding.col0 === 0 && output.binding.rowStride === output.binding.cols;
    check(slot?.kind === SlotKind.Arena && whole, `${name} is not whole rows of the arena.`);
  });
}

function checkSlot(plan: Plan, slot: PlanSlot, name: string): void {
  check(slot.bytes <= kMaxBytes && slot.offset <= kMaxBytes, `${name} has ${slot.bytes} bytes at ${slot.offset}.`);
  const indices: Record<number, number> = {
    [SlotKind.Arena]: plan.arena.length,
    [SlotKind.Weight]: plan.weights.length,
    [SlotKind.Keys]: plan.nLayers,
    [SlotKind.Values]: plan.nLayers,
    [SlotKind.Params]: 1,
    [SlotKind.State]: plan.slots.length,
  };
  const indexEnd = indices[slot.kind];
  check(indexEnd !== undefined, `The kind ${slot.kind} of ${name} is unknown.`);
  check(slot.index < indexEnd, `${name} has index ${slot.index} of ${indexEnd}.`);
  if (slot.kind === SlotKind.Arena) {
    const end = plan.arena[slot.index] ?? 0;
    check(slot.bytes > 0 && slot.offset + slot.bytes <= end, `${name} ends beyond the ${end} bytes of its buffer.`);
    check(slot.offset % kBindingAlignment === 0, `${name} is at byte ${slot.offset}, not a multiple of 256.`);
  } else {
    check(slot.offset === 0, `${name} is a buffer of its own but begins at ${slot.offset}.`);
  }
  if (slot.kind === SlotKind.Params || slot.kind === SlotKind.State) {
    check(slot.bytes >= 4 && slot.bytes % 4 === 0, `${name} has ${slot.bytes} bytes, expected a multiple of 4.`);
  }
}

function checkBinding(plan: Plan, binding: PlanBinding, name: string): void {
  const slot = plan.slots[binding.slot];
  check(slot !== undefined, `${name} is slot ${binding.slot} of ${plan.slots.length}.`);
  within(`The symbol of the rows of ${name}`, binding.rowsSymbol, 0, 3);
  const rows = rowsAt(binding, { t: plan.key.maxTokens, r: plan.key.maxRows, p: plan.key.maxSeqs });
  const columns = binding.cols > 0 && binding.col0 + binding.cols <= binding.rowStride;
  check(rows > 0 && columns, `The ${rows} rows of ${name} do not hold its columns.`);
  if (slot.kind !== SlotKind.Arena && slot.kind !== SlotKind.State) return;
  const bytes = ((rows - 1) * binding.rowStride + binding.col0 + binding.cols) * 4;
  check(bytes <= slot.bytes, `${name} has ${bytes} bytes, more than the ${slot.bytes} of slot ${binding.slot}.`);
}

function checkStep(plan: Plan, step: PlanStep, name: string): void {
  const pipeline = plan.pipelines[step.pipeline];
  check(pipeline !== undefined, `${name} names pipeline ${step.pipeline} of ${plan.pipelines.length}.`);
  const end = step.firstBinding + step.nBindings;
  check(end <= plan.bindings.length, `${name} ends at binding ${end} of ${plan.bindings.length}.`);
  const nAccess = pipeline.access.length;
  check(nAccess === step.nBindings, `${name} has ${step.nBindings} bindings, but ${pipeline.name} has ${nAccess}.`);
  for (const grid of step.grid) {
    within(`The divisor of the grid of ${name}`, grid.divisor, 1, 2 ** 32 - 1);
    const largest = Math.max(grid.t, grid.r, grid.s, grid.kv, grid.p);
    within(`A coefficient of the grid of ${name}`, largest, 0, kMaxCoefficient);
  }
  for (let i = 0; i < step.nBindings; ++i) checkUse(plan, step, pipeline, i, name);
}

function slotOf(plan: Plan, step: PlanStep, i: number): PlanSlot {
  return plan.slots[plan.bindings[step.firstBinding + i]?.slot ?? -1] as PlanSlot; // checkBinding saw it
}

/// WebGPU binds a buffer for reading or for writing in one dispatch, and what is written may overlap nothing.
function checkUse(plan: Plan, step: PlanStep, pipeline: PlanPipeline, i: number, name: string): void {
  const slot = slotOf(plan, step, i);
  const writes = pipeline.access[i] === Access.ReadWrite;
  const constant = slot.kind === SlotKind.Weight || slot.kind === SlotKind.Params;
  check(!(writes && constant), `${name} writes to a weight or to the step's block.`);
  for (let j = 0; j < i; ++j) {
    const other = slotOf(plan, step, j);
    const otherWrites = pipeline.access[j] === Access.ReadWrite;
    if (slot.kind !== other.kind || slot.index !== other.index || (!writes && !otherWrites)) continue;
    const apart = slot.offset + slot.bytes <= other.offset || other.offset + other.bytes <= slot.offset;
    const good = writes === otherWrites && slot.kind === SlotKind.Arena && apart;
    check(good, `${name} binds one buffer as binding ${j} and ${i}, and writes to it.`);
  }
}

/// Together the programs are all the steps, in order, for ever more tokens up to the key's.
function checkPrograms(plan: Plan): void {
  let nextStep = 0;
  let leastTokens = 1;
  for (const program of plan.programs) {
    const good = program.firstStep === nextStep && program.maxTokens >= leastTokens;
    check(good, `A program for ${program.maxTokens} tokens begins at step ${program.firstStep}, expected ${nextStep}.`);
    nextStep += program.nSteps;
    leastTokens = program.maxTokens + 1;
  }
  check(
    plan.programs.at(-1)?.maxTokens === plan.key.maxTokens && nextStep === plan.steps.length,
    `The ${plan.programs.length} programs play ${nextStep} of ${plan.steps.length} steps, or not up to ` +
      `${plan.key.maxTokens} tokens.`,
  );
}
