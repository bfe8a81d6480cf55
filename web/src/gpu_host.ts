// GpuHost: the imports "tern_gpu" of the module (src/apps/wasm/js_device.cc): handles and addresses on that side,
// players on this. An exception must not unwind through the module, so it becomes 0 and a sentence.
import { openDevice } from "./gpu.js";
import type { DeviceFacts, DeviceLimits } from "./gpu.js";
import { breathe } from "./breathe.js";
import { Player, Poll } from "./player.js";

const kNone = -1;
const kPollError = 3;

export class GpuHost {
  onCompile: Player["kernels"]["onCompile"] = null; // of players to come
  #gpu: GPU | null;
  #limits: DeviceLimits;
  #memory: WebAssembly.Memory | null = null;
  #players = new Map<number, Player>();
  #facts = new Map<number, DeviceFacts>();
  #nextDevice = 1;
  #current: Player | null = null;
  #requested: Promise<void> | null = null;
  #opened: [GPUDevice, DeviceFacts] | null = null; // asked for, not yet taken by the module
  #error = ""; // of the last call that failed
  #refusal = ""; // why there was no device when one was asked for

  /// gpu: null where there is none.
  constructor(gpu: GPU | null, limits: DeviceLimits = {}) {
    this.#gpu = gpu;
    this.#limits = limits;
  }

  attach(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  /// The player of the device that the module opened last; null when that is none.
  get player(): Player | null {
    return this.#current;
  }

  /// Asks for a device that the module then finds open. Throws when there is none.
  async request(): Promise<DeviceFacts> {
    if (this.#gpu === null) throw new Error("There is no WebGPU here.");
    this.#opened ??= await openDevice(this.#gpu, this.#limits);
    return this.#opened[1];
  }

  /// Gives back a device that the module has not taken.
  release(): void {
    this.#opened?.[0].destroy();
    this.#opened = null;
  }

  /// Resolves when there is something new for the module: a step done, a device opened or lost.
  async settled(): Promise<void> {
    if (this.#requested !== null) await this.#requested;
    else if (this.#current !== null) await this.#current.settled();
    await breathe(); // promises alone would starve timers, messages and input
  }

  imports(): WebAssembly.ModuleImports {
    return {
      open: () => this.#open(),
      facts: (device: number, out: number, capacity: number) =>
        this.#putText(JSON.stringify(this.#facts.get(device) ?? {}), out, capacity),
      close: (device: number) => {
        const player = this.#players.get(device);
        player?.destroy();
        if (player === this.#current) this.#current = null;
        this.#players.delete(device);
      },
      error: (out: number, capacity: number) => this.#putText(this.#error, out, capacity),
      alloc: (device: number, bytes: number) => this.#try(0, () => this.#player(device).alloc(bytes, "tern")),
      write: (device: number, buffer: number, offset: number, data: number, size: number) =>
        this.#try(0, () => {
          this.#player(device).write(buffer, offset, this.#bytes(data, size));
          return 1;
        }),
      free: (device: number, buffer: number) => this.#players.get(device)?.free(buffer),
      compile: (device: number, plan: number, nWords: number) =>
        this.#try(0, () => {
          this.#player(device).compile(this.#words(plan, nWords));
          return 1;
        }),
      load: (device: number, plan: number, nWords: number, buffers: number, nWeights: number, nLayers: number) =>
        this.#try(0, () => {
          const ids = [...this.#words(buffers, nWeights + 2 * nLayers)];
          const [keys, values] = [nWeights, nWeights + nLayers];
          const player = this.#player(device);
          return player.load(this.#words(plan, nWords), ids.slice(0, keys), ids.slice(keys, values), ids.slice(values));
        }),
      unload: (device: number, plan: number) => this.#players.get(device)?.unload(plan),
      submit: (device: number, plan: number, counts: number, params: number, size: number, outputs: number) =>
        this.#try(0, () => {
          const [t = 0, r = 0, s = 0, maxKv = 0, p = 0] = this.#words(counts, 5);
          return this.#player(device).submit(plan, { t, r, s, maxKv, p }, this.#bytes(params, size), outputs);
        }),
      poll: (device: number, ticket: number, output: number, out: number, size: number) =>
        this.#try(kPollError, () => {
          const player = this.#players.get(device);
          return player === undefined ? Poll.DeviceLost : player.poll(ticket, output, this.#bytes(out, size));
        }),
    };
  }

  /// A device that was asked for; else asks for one, after a loss.
  #open(): number {
    if (this.#opened !== null) {
      const [device, facts] = this.#opened;
      this.#opened = null;
      const id = this.#nextDevice++;
      this.#current = new Player(device);
      this.#current.kernels.onCompile = this.onCompile;
      this.#players.set(id, this.#current);
      this.#facts.set(id, facts);
      return id;
    }
    if (this.#refusal !== "") {
      this.#error = this.#refusal;
      return kNone;
    }
    this.#requested ??= this.request().then(
      () => {
        this.#requested = null;
      },
      (error: unknown) => {
        this.#requested = null;
        this.#refusal = error instanceof Error ? error.message : String(error);
      },
    );
    return 0;
  }

  #try(failed: number, call: () => number): number {
    try {
      return call();
    } catch (error) {
      this.#error = error instanceof Error ? error.message : String(error);
      return failed;
    }
  }

  #player(device: number): Player {
    const player = this.#players.get(device);
    if (player === undefined) throw new Error(`There is no device ${device}.`);
    return player;
  }

  #putText(text: string, out: number, capacity: number): number {
    const bytes = new TextEncoder().encode(text);
    this.#bytes(out, capacity).set(bytes.subarray(0, capacity));
    return bytes.length;
  }

  #bytes(at: number, size: number): Uint8Array {
    return new Uint8Array((this.#memory as WebAssembly.Memory).buffer, at, size);
  }

  #words(at: number, size: number): Uint32Array {
    return new Uint32Array((this.#memory as WebAssembly.Memory).buffer, at, size);
  }
}
