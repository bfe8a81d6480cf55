// Player: plays plans on any WebGPU of JavaScript, the browser's or Dawn in Node. The engine (wasm) decides everything;
// this knows plan words, buffers and bytes. A step costs one small write, one encoder with one pass over prebuilt bind
// groups, the copies of its outputs and one submit; results arrive by promise, several steps may be in flight.
import { gridAt, readPlan, rowsAt, SlotKind } from "./plan.js";
import type { PlanSlot, StepCounts } from "./plan.js";
import { Kernels } from "./kernels.js";
import { LoadedPlan } from "./loaded_plan.js";
import type { Dispatch } from "./loaded_plan.js";
import { Profiler } from "./profiler.js";
import type { Span } from "./profiler.js";
import { ReadbackRing } from "./readback.js";
import type { Piece } from "./readback.js";

/// Bytes of weights on their way to the GPU before written() waits for those before them: copies must not pile up.
const kBytesAhead = 16 << 20;

export enum Poll {
  Pending,
  Ready,
  DeviceLost,
}

/// A step that was submitted before its plan's kernels were compiled.
interface Waiting {
  ticket: number;
  plan: LoadedPlan;
  counts: StepCounts;
  params: Uint8Array;
  outputs: number;
}

export class Player {
  readonly device: GPUDevice;
  readonly kernels: Kernels;
  /// Times every dispatch when set (needs the feature timestamp-query): each gets a pass of its own, and is slower.
  onProfile: ((spans: Span[]) => void) | null = null;
  #buffers = new Map<number, GPUBuffer>();
  #plans = new Map<number, LoadedPlan>();
  #nextId = 1;
  #nextTicket = 1;
  #ring: ReadbackRing;
  #waiting: Waiting[] = [];
  #bytesAhead = 0;
  #before: Promise<unknown> = Promise.resolve(); // all bytes but the last #bytesAhead have arrived
  #lost: string | null = null;
  #lostPromise: Promise<void>;
  #profiler: Profiler | null = null;

  constructor(device: GPUDevice) {
    this.device = device;
    this.kernels = new Kernels(device);
    this.#ring = new ReadbackRing(device);
    this.#lostPromise = device.lost.then((info) => {
      this.#lost ??= `The GPU was lost (${info.reason}): ${info.message}`;
    });
    device.addEventListener("uncapturederror", (event) => this.#fail((event as GPUUncapturedErrorEvent).error.message));
  }

  /// Why no further step will be played; null while all is well.
  get lost(): string | null {
    return this.#lost;
  }

  alloc(bytes: number, label: string): number {
    const { maxBufferSize } = this.device.limits;
    if (bytes > maxBufferSize) {
      throw new Error(`A buffer of ${bytes} bytes is wanted, the GPU allows at most ${maxBufferSize}.`);
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const id = this.#nextId++;
    this.device.pushErrorScope("out-of-memory");
    this.#buffers.set(id, this.device.createBuffer({ label, size: Math.max(4, Math.ceil(bytes / 4) * 4), usage }));
    void this.device.popErrorScope().then((error) => {
      if (error !== null) this.#fail(`The GPU has no memory for another ${bytes} bytes: ${error.message}`);
    });
    return id;
  }

  /// Of weights and KV cache; those of the plans are small beside them.
  get bufferBytes(): number {
    return [...this.#buffers.values()].reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /// offset and bytes.length: multiples of 4.
  write(id: number, offset: number, bytes: Uint8Array): void {
    const buffer = this.#buffer(id);
    if (offset % 4 !== 0 || bytes.length % 4 !== 0 || offset + bytes.length > buffer.size) {
      throw new Error(`Bytes [${offset}, +${bytes.length}) are written to a buffer of ${buffer.size}.`);
    }
    this.device.queue.writeBuffer(buffer, offset, bytes as Uint8Array<ArrayBuffer>);
    this.#bytesAhead += bytes.length;
  }

  free(id: number): void {
    this.#buffers.get(id)?.destroy();
    this.#buffers.delete(id);
  }

  /// Starts compiling the kernels of a plan that will be loaded.
  compile(words: Uint32Array): void {
    for (const pipeline of readPlan(words).pipelines) void this.kernels.compile(pipeline).catch(() => undefined);
  }

  /// Starts compiling all kernels and returns at once; steps may be submitted already.
  load(words: Uint32Array, weights: number[], keys: number[], values: number[]): number {
    const find = (ids: number[]) => ids.map((id) => this.#buffer(id));
    const buffers = { weights: find(weights), keys: find(keys), values: find(values) };
    const plan = new LoadedPlan(this.device, readPlan(words), buffers, this.kernels);
    plan.ready.then(
      () => this.#playWaiting(),
      (error: unknown) => this.#fail(error instanceof Error ? error.message : String(error)),
    );
    const id = this.#nextId++;
    this.#plans.set(id, plan);
    return id;
  }

  unload(id: number): void {
    const plan = this.#plans.get(id);
    this.#waiting = this.#waiting.filter((step) => step.plan !== plan);
    plan?.destroy();
    this.#plans.delete(id);
  }

  /// params: the step's block (src/graph/params.h), a multiple of 4 bytes. outputs: bit i asks for output i of the
  /// plan. Returns the ticket for poll().
  submit(id: number, counts: StepCounts, params: Uint8Array, outputs: number): number {
    const plan = this.#plans.get(id);
    if (plan === undefined) throw new Error(`There is no plan ${id}.`);
    if (params.length > plan.params.size || params.length % 4 !== 0) {
      throw new Error(`The step's block has ${params.length} bytes, the plan's has ${plan.params.size}.`);
    }
    const { maxTokens, maxRows, maxSeqs } = plan.plan.key;
    if (counts.t > maxTokens || counts.r > maxRows || counts.s > maxSeqs || counts.p > maxSeqs) {
      const { t, r, s, p } = counts;
      throw new Error(`A step of ${t} tokens, ${r} rows, ${s} sequences and ${p} pools exceeds the plan.`);
    }
    const ticket = this.#nextTicket;
    if (this.#lost !== null) return this.#nextTicket++;
    if (plan.isReady && this.#waiting.length === 0) {
      this.#play(plan, ticket, counts, params, outputs);
    } else {
      this.#waiting.push({ ticket, plan, counts, params: params.slice(), outputs });
    }
    return this.#nextTicket++;
  }

  /// When ready, copies the first out.length bytes of output `output` to out. A ticket's results live until
  /// kReadbackPlaces later steps were submitted.
  poll(ticket: number, output: number, out: Uint8Array): Poll {
    if (this.#lost !== null) return Poll.DeviceLost;
    if (this.#waiting.some((step) => step.ticket === ticket)) return Poll.Pending;
    const state = this.#ring.state(ticket);
    if (state === "pending") return Poll.Pending;
    if (state !== "ready") return Poll.DeviceLost;
    if (out.length > 0) this.#ring.read(ticket, output, out);
    return Poll.Ready;
  }

  /// Resolves when something has happened that is worth a poll: a step is done, kernels are compiled, the GPU is lost.
  async settled(): Promise<void> {
    await this.written();
    if (this.#lost !== null) return;
    const first = this.#waiting[0];
    const next = first ? first.plan.ready.catch(() => undefined) : this.#ring.settled();
    await Promise.race([next, this.#lostPromise]);
  }

  /// Resolves when few of the bytes that were written are still on their way. For whoever places weights, now and then.
  async written(): Promise<void> {
    if (this.#bytesAhead < kBytesAhead || this.#lost !== null) return;
    this.#bytesAhead = 0;
    const before = this.#before;
    this.#before = Promise.race([this.device.queue.onSubmittedWorkDone(), this.#lostPromise]);
    await before;
  }

  /// Resolves when all loaded plans can be played. Throws when a kernel does not compile or the GPU is lost.
  async ready(): Promise<void> {
    for (const plan of this.#plans.values()) await Promise.race([plan.ready, this.#lostPromise]);
    if (this.#lost !== null) throw new Error(this.#lost);
  }

  /// As a driver reset would: for tests of what happens then.
  lose(): void {
    this.#lost ??= "The GPU was lost on request.";
    this.device.destroy();
  }

  destroy(): void {
    this.#lost ??= "The player was closed.";
    for (const plan of this.#plans.values()) plan.destroy();
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#ring.destroy();
    this.device.destroy();
  }

  #fail(message: string): void {
    this.#lost ??= message;
  }

  #buffer(id: number): GPUBuffer {
    const buffer = this.#buffers.get(id);
    if (buffer === undefined) throw new Error(`There is no buffer ${id}.`);
    return buffer;
  }

  #playWaiting(): void {
    while (this.#waiting[0]?.plan.isReady && this.#lost === null) {
      const { plan, ticket, counts, params, outputs } = this.#waiting.shift() as Waiting;
      try {
        this.#play(plan, ticket, counts, params, outputs);
      } catch (error) {
        this.#fail(String(error));
      }
    }
  }

  #play(plan: LoadedPlan, ticket: number, counts: StepCounts, params: Uint8Array, outputs: number): void {
    const program = plan.program(counts.t);
    if (params.length > 0) this.device.queue.writeBuffer(plan.params, 0, params as Uint8Array<ArrayBuffer>);
    const encoder = this.device.createCommandEncoder();
    if (this.onProfile !== null) {
      this.#profiler ??= new Profiler(this.device);
      this.#profiler.record(encoder, program, (dispatch) => this.#gridOf(dispatch, counts));
    } else {
      this.#record(encoder, program, counts);
    }
    if (!this.#ring.begin(ticket, encoder, piecesOf(plan, counts, outputs))) {
      throw new Error(`Step ${ticket} is submitted while too many before it are in flight.`);
    }
    this.device.queue.submit([encoder.finish()]);
    this.#ring.end(ticket);
    if (this.onProfile !== null) this.#profiler?.collect(this.onProfile);
  }

  #record(encoder: GPUCommandEncoder, program: Dispatch[], counts: StepCounts): void {
    const pass = encoder.beginComputePass();
    let pipeline: GPUComputePipeline | null = null;
    for (const dispatch of program) {
      const [x, y, z] = this.#gridOf(dispatch, counts);
      if (x === 0 || y === 0 || z === 0) continue;
      if (dispatch.pipeline !== pipeline) pass.setPipeline(dispatch.pipeline);
      pipeline = dispatch.pipeline;
      pass.setBindGroup(0, dispatch.bindGroup);
      pass.dispatchWorkgroups(x, y, z);
    }
    pass.end();
  }

  #gridOf(dispatch: Dispatch, counts: StepCounts): [number, number, number] {
    if (dispatch.fixed !== null) return dispatch.fixed;
    const [x, y, z] = dispatch.grid;
    return [gridAt(x, counts), gridAt(y, counts), gridAt(z, counts)];
  }
}

/// The outputs of a step that are read back, and where in the readback buffer.
function piecesOf(loaded: LoadedPlan, counts: StepCounts, outputs: number): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  loaded.plan.outputs.forEach(({ binding }, output) => {
    const bytes = rowsAt(binding, counts) * binding.cols * 4;
    if (((outputs >> output) & 1) === 0 || bytes === 0) return;
    const slot = loaded.plan.slots[binding.slot] as PlanSlot & { kind: SlotKind.Arena };
    pieces.push({ output, source: loaded.arena[slot.index] as GPUBuffer, from: slot.offset, at, bytes });
    at += Math.ceil(bytes / 256) * 256;
  });
  return pieces;
}
