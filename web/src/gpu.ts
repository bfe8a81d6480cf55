// A device with everything the kernels can use, and its facts for the engine, which plans by them.

/// What the lowering decides by: GpuFacts of src/graph/target.h, and the device's name.
export interface DeviceFacts {
  device: string;
  software: boolean; // a CPU that plays GPU
  f16: boolean;
  subgroups: boolean;
  subgroup_min: number;
  subgroup_max: number;
  packed_dot: boolean;
  subgroup_matrix: boolean;
  max_storage_buffers: number;
  max_invocations: number;
  max_workgroup_bytes: number;
  max_workgroups: number;
  max_binding_bytes: number;
  max_buffer_bytes: number;
}

/// For tests: play a poorer device than there is.
export interface DeviceLimits {
  f16?: boolean;
  subgroups?: boolean;
  packed_dot?: boolean;
  subgroup_matrix?: boolean;
  default_limits?: boolean; // WebGPU's defaults, which every device has
}

const kFeatures = ["shader-f16", "subgroups", "timestamp-query", "chromium-experimental-subgroup-matrix"] as const;

const kNoAdapter = "There is no WebGPU adapter: no GPU, or no driver for it that WebGPU can use.";

/// Throws when there is no adapter.
export async function openDevice(gpu: GPU, limit: DeviceLimits = {}): Promise<[GPUDevice, DeviceFacts]> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error(kNoAdapter);
  const refused = new Set<string>();
  if (limit.f16 === false) refused.add("shader-f16");
  if (limit.subgroups === false) refused.add("subgroups").add("chromium-experimental-subgroup-matrix");
  if (limit.subgroup_matrix === false) refused.add("chromium-experimental-subgroup-matrix");
  const requiredFeatures = kFeatures.filter((f) => adapter.features.has(f) && !refused.has(f)) as GPUFeatureName[];
  const requiredLimits = limit.default_limits ? {} : allLimits(adapter.limits);
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  return [device, factsOf(gpu, device, adapter.info, limit)];
}

/// What Chromium's and Dawn's experimental matrices of subgroups can be; not in the standard yet.
interface MatrixInfo {
  subgroupMatrixConfigs?: Iterable<{
    componentType: string;
    resultComponentType: string;
    M: number;
    N: number;
    K: number;
  }>;
}

/// Whether there are matrices as the kernels use them: f16 with sums in f32, 16 x 16 x 16, in workgroup memory that is
/// seen as more than one type.
function hasMatrices(gpu: GPU, device: GPUDevice, info: GPUAdapterInfo & MatrixInfo): boolean {
  if (!device.features.has("chromium-experimental-subgroup-matrix")) return false;
  if (!gpu.wgslLanguageFeatures.has("buffer_view")) return false;
  return [...(info.subgroupMatrixConfigs ?? [])].some(
    (c) => c.componentType === "f16" && c.resultComponentType === "f32" && c.M === 16 && c.N === 16 && c.K === 16,
  );
}

function factsOf(gpu: GPU, device: GPUDevice, info: GPUAdapterInfo, limit: DeviceLimits): DeviceFacts {
  const { features, limits } = device;
  return {
    device: info.description || info.device || `${info.vendor} ${info.architecture}`,
    software: /llvmpipe|lavapipe|swiftshader|software/i.test(`${info.description} ${info.architecture}`),
    f16: features.has("shader-f16"),
    subgroups: features.has("subgroups"),
    subgroup_min: info.subgroupMinSize ?? 4, // WebGPU's bounds where a device does not say
    subgroup_max: info.subgroupMaxSize ?? 128,
    packed_dot: limit.packed_dot !== false && gpu.wgslLanguageFeatures.has("packed_4x8_integer_dot_product"),
    subgroup_matrix: hasMatrices(gpu, device, info),
    max_storage_buffers: limits.maxStorageBuffersPerShaderStage,
    max_invocations: limits.maxComputeInvocationsPerWorkgroup,
    max_workgroup_bytes: limits.maxComputeWorkgroupStorageSize,
    max_workgroups: limits.maxComputeWorkgroupsPerDimension,
    max_binding_bytes: limits.maxStorageBufferBindingSize,
    max_buffer_bytes: limits.maxBufferSize,
  };
}

function allLimits(limits: GPUSupportedLimits): Record<string, number> {
  const names = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "maxComputeWorkgroupStorageSize",
    "maxStorageBuffersPerShaderStage",
  ] as const;
  return Object.fromEntries(names.map((name) => [name, limits[name]]));
}
