// The kernels of a device: each is compiled once, all at the same time, whichever plans want it and whenever.
import { Access } from "./plan.js";
import type { PlanPipeline } from "./plan.js";

export class Kernels {
  /// Hears of every kernel that is compiled.
  onCompile: ((done: number, total: number) => void) | null = null;
  /// access: numbers of Access, joined by commas.
  readonly layout: (access: string) => GPUBindGroupLayout;
  #device: GPUDevice;
  #kernels = new Map<string, Promise<GPUComputePipeline>>(); // by access and source
  #done = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.layout = memoised((access) => bindGroupLayout(device, access));
  }

  /// Rejects with a sentence when it does not compile.
  compile({ name, source, access }: PlanPipeline): Promise<GPUComputePipeline> {
    const key = `${access.join()}:${source}`;
    const known = this.#kernels.get(key);
    if (known !== undefined) return known;
    const kernel = compileKernel(this.#device, name, source, this.layout(access.join()));
    this.#kernels.set(key, kernel);
    kernel.then(
      () => this.onCompile?.(++this.#done, this.#kernels.size),
      () => undefined, // whoever waits for it hears of it
    );
    return kernel;
  }
}

/// One value per key, made when it is first asked for.
export function memoised<T>(make: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}

function bindGroupLayout(device: GPUDevice, access: string): GPUBindGroupLayout {
  const entries = access.split(",").map((a, binding): GPUBindGroupLayoutEntry => {
    const type = Number(a) === Access.ReadWrite ? "storage" : "read-only-storage";
    return { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } };
  });
  return device.createBindGroupLayout({ entries });
}

async function compileKernel(
  device: GPUDevice,
  label: string,
  code: string,
  layout: GPUBindGroupLayout,
): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ label, code });
  try {
    return await device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
  } catch (error) {
    const { messages } = await module.getCompilationInfo();
    const first = messages.find((m) => m.type === "error");
    const why = first ? `line ${first.lineNum}: ${first.message}` : String(error);
    throw new Error(`Kernel ${label} does not compile on ${device.adapterInfo.description}: ${why}`, { cause: error });
  }
}
