// GPU times per dispatch, by timestamps around passes of one dispatch each: what a trace shows. Browsers round
// timestamps (Dawn to 65 us unless told otherwise), so small kernels want many repetitions there.
import type { Dispatch } from "./loaded_plan.js";

export interface Span {
  name: string; // kernel and graph node
  startNs: number; // on the GPU's clock
  ns: number;
}

const kMaxQueries = 4096; // WebGPU's limit of one query set

export class Profiler {
  #queries: GPUQuerySet;
  #resolved: GPUBuffer;
  #read: GPUBuffer;
  #names: string[] = [];
  #busy = false; // the times of an earlier step are on their way

  constructor(device: GPUDevice) {
    if (!device.features.has("timestamp-query")) throw new Error("This GPU takes no timestamps (timestamp-query).");
    this.#queries = device.createQuerySet({ type: "timestamp", count: kMaxQueries });
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    this.#resolved = device.createBuffer({ label: "timestamps", size: kMaxQueries * 8, usage });
    this.#read = device.createBuffer({
      label: "timestamps readback",
      size: kMaxQueries * 8,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }

  /// Records the dispatches with a pass and two timestamps each; those beyond the query set's end go untimed.
  record(
    encoder: GPUCommandEncoder,
    program: Dispatch[],
    gridOf: (dispatch: Dispatch) => [number, number, number],
  ): void {
    this.#names = [];
    for (const dispatch of program) {
      const [x, y, z] = gridOf(dispatch);
      if (x === 0 || y === 0 || z === 0) continue;
      const query = this.#names.length * 2;
      const timed = !this.#busy && query + 2 <= kMaxQueries;
      const writes = { querySet: this.#queries, beginningOfPassWriteIndex: query, endOfPassWriteIndex: query + 1 };
      const pass = encoder.beginComputePass(timed ? { timestampWrites: writes } : {});
      if (timed) this.#names.push(dispatch.name);
      pass.setPipeline(dispatch.pipeline);
      pass.setBindGroup(0, dispatch.bindGroup);
      pass.dispatchWorkgroups(x, y, z);
      pass.end();
    }
    if (this.#busy || this.#names.length === 0) return;
    const bytes = this.#names.length * 16;
    encoder.resolveQuerySet(this.#queries, 0, this.#names.length * 2, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#read, 0, bytes);
  }

  /// Hands out the times once the recorded step is done. A step submitted meanwhile is not timed.
  collect(report: (spans: Span[]) => void): void {
    if (this.#busy || this.#names.length === 0) return;
    this.#busy = true;
    const names = this.#names;
    this.#read.mapAsync(GPUMapMode.READ, 0, names.length * 16).then(
      () => {
        const times = new BigUint64Array(this.#read.getMappedRange(0, names.length * 16));
        const span = (name: string, i: number): Span => {
          const [begin, end] = [times[2 * i] ?? 0n, times[2 * i + 1] ?? 0n];
          return { name, startNs: Number(begin), ns: Number(end - begin) };
        };
        const spans = names.map(span);
        this.#read.unmap();
        this.#busy = false;
        report(spans);
      },
      () => undefined, // the device is lost, which the player reports
    );
  }
}
