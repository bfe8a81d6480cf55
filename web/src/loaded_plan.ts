// A plan on a device: its own buffers, its pipelines (kernels.ts), and for every step a bind group made
// ahead, so that playing a step creates nothing but the encoder.
import { memoised } from "./kernels.js";
import type { Kernels } from "./kernels.js";
import { gridAt, SlotKind } from "./plan.js";
import type { GridExpr, Plan, PlanPipeline, PlanSlot, StepCounts } from "./plan.js";

/// Buffers that the engine placed for a plan: one per weight; keys and values one per layer.
export interface PlanBuffers {
  weights: GPUBuffer[];
  keys: GPUBuffer[];
  values: GPUBuffer[];
}

export type Grid = [number, number, number];

export interface Dispatch {
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  grid: [GridExpr, GridExpr, GridExpr];
  fixed: Grid | null; // the grid when it does not depend on the step
  name: string; // "linear_q4 blk.3.ffn_up"
}

const kNothing: StepCounts = { t: 0, r: 0, s: 0, maxKv: 0, p: 0 };

function isFixed(grid: GridExpr): boolean {
  return grid.t === 0 && grid.r === 0 && grid.s === 0 && grid.kv === 0 && grid.p === 0;
}

export class LoadedPlan {
  readonly plan: Plan;
  readonly params: GPUBuffer;
  readonly arena: GPUBuffer[];
  readonly ready: Promise<void>; // rejects when a kernel does not compile
  #states: GPUBuffer[] = [];
  #programs: Dispatch[][] | null = null;

  constructor(device: GPUDevice, plan: Plan, buffers: PlanBuffers, kernels: Kernels) {
    this.plan = plan;
    checkBuffers(device, plan, buffers);
    const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const make = (label: string, size: number) => device.createBuffer({ label, size, usage: storage });
    this.arena = plan.arena.map((bytes, i) => make(`arena ${i}`, bytes));
    const paramsBytes = Math.max(4, ...plan.slots.filter((s) => s.kind === SlotKind.Params).map((s) => s.bytes));
    this.params = make("params", paramsBytes);
    const states = new Map<number, GPUBuffer>();
    for (const slot of plan.slots) {
      if (slot.kind !== SlotKind.State || states.has(slot.index)) continue;
      states.set(slot.index, make(`state ${slot.index}`, slot.bytes));
    }
    this.#states = [...states.values()];
    const bufferOf = (slot: PlanSlot): GPUBuffer => {
      const owners = {
        [SlotKind.Arena]: this.arena[slot.index],
        [SlotKind.Weight]: buffers.weights[slot.index],
        [SlotKind.Keys]: buffers.keys[slot.index],
        [SlotKind.Values]: buffers.values[slot.index],
        [SlotKind.Params]: this.params,
        [SlotKind.State]: states.get(slot.index),
      };
      return owners[slot.kind] as GPUBuffer; // readPlan and checkBuffers saw to it
    };
    this.ready = this.#compile(device, kernels, bufferOf);
    this.ready.catch(() => undefined); // whoever waits for it hears of it
  }

  get isReady(): boolean {
    return this.#programs !== null;
  }

  /// The dispatches of a step of `t` tokens: those of the first program that plays that many. Precondition: isReady.
  program(t: number): Dispatch[] {
    const program = this.#programs?.[this.plan.programs.findIndex((p) => p.maxTokens >= t)];
    if (program === undefined) throw new Error(`A step of ${t} tokens is more than ${this.plan.key.maxTokens}.`);
    return program;
  }

  destroy(): void {
    for (const buffer of [...this.arena, ...this.#states, this.params]) buffer.destroy();
  }

  async #compile(device: GPUDevice, kernels: Kernels, bufferOf: (slot: PlanSlot) => GPUBuffer): Promise<void> {
    const pipelines = await Promise.all(this.plan.pipelines.map((p) => kernels.compile(p)));
    const groupOf = memoised((key: string) => {
      const [access = "", slots = ""] = key.split(":");
      const entries = slots.split(",").map((index, binding) => {
        const slot = this.plan.slots[Number(index)] as PlanSlot;
        return { binding, resource: rangeOf(slot, bufferOf(slot)) };
      });
      return device.createBindGroup({ layout: kernels.layout(access), entries });
    });
    const dispatches = this.plan.steps.map((step): Dispatch => {
      const { access, name } = this.plan.pipelines[step.pipeline] as PlanPipeline;
      const bindings = this.plan.bindings.slice(step.firstBinding, step.firstBinding + step.nBindings);
      return {
        pipeline: pipelines[step.pipeline] as GPUComputePipeline,
        bindGroup: groupOf(`${access.join()}:${bindings.map((b) => b.slot).join()}`),
        grid: step.grid,
        fixed: step.grid.every(isFixed) ? (step.grid.map((g) => gridAt(g, kNothing)) as Grid) : null,
        name: `${name} ${step.name}`,
      };
    });
    this.#programs = this.plan.programs.map((p) => dispatches.slice(p.firstStep, p.firstStep + p.nSteps));
  }
}

/// access: that of each binding, separated by commas.
/// Keys and values: all pages. Others: the slot.
function rangeOf(slot: PlanSlot, buffer: GPUBuffer): GPUBufferBinding {
  if (slot.kind === SlotKind.Arena) return { buffer, offset: slot.offset, size: slot.bytes };
  return { buffer };
}

function checkBuffers(device: GPUDevice, plan: Plan, buffers: PlanBuffers): void {
  const { weights, keys, values } = buffers;
  if (weights.length !== plan.weights.length || keys.length !== plan.nLayers || values.length !== plan.nLayers) {
    throw new Error(
      `The plan has ${plan.weights.length} weights and ${plan.nLayers} layers, but came with ${weights.length} ` +
        `weights, ${keys.length} keys and ${values.length} values.`,
    );
  }
  for (const slot of plan.slots) {
    const buffer = slot.kind === SlotKind.Weight ? weights[slot.index] : undefined;
    if (buffer === undefined || buffer.size >= slot.bytes) continue;
    const name = plan.weights[slot.index] ?? "";
    throw new Error(`The buffer of weight ${name} has ${buffer.size} bytes, the plan wants ${slot.bytes}.`);
  }
  if (![...keys, ...values].every((buffer) => buffer.size >= plan.pageBytes)) {
    throw new Error(`The KV cache does not hold a page of ${plan.pageBytes} bytes in every layer.`);
  }
  const limit = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  const largest = Math.max(0, ...plan.arena, ...[...weights, ...keys, ...values].map((buffer) => buffer.size));
  if (largest > limit) {
    throw new Error(
      `The plan wants a buffer of ${largest} bytes, the GPU binds at most ${limit}. A shorter context or smaller ` +
        `chunks need less.`,
    );
  }
}
