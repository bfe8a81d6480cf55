// A device with everything the kernels can use, and its facts for the engine, which plans by them.

/// What the lowering decides by; the same fields as src/apps/wasm/session.h reads.
export interface DeviceFacts {
  name: string;
  software: boolean; // a CPU that plays GPU
  f16: boolean;
  subgroups: boolean;
  subgroup_min: number;
  subgroup_max: number;
  packed_dot: boolean; // dot4I8Packed
  timestamps: boolean;
  max_buffer: number; // bytes
  max_binding: number;
  max_invocations: number;
  max_workgroup_bytes: number;
  max_storage_buffers: number;
}

/// For tests: play a poorer device than there is.
export interface DeviceLimits {
  f16?: boolean;
  subgroups?: boolean;
  packed_dot?: boolean;
  default_limits?: boolean; // WebGPU's defaults, which every device has
}

const kFeatures = ["shader-f16", "subgroups", "timestamp-query", "chromium-experimental-subgroup-matrix"] as const;

/// Throws when there is no adapter.
export async function openDevice(gpu: GPU, limit: DeviceLimits = {}): Promise<[GPUDevice, DeviceFacts]> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("There is no WebGPU adapter. Use --device cpu, or install a Vulkan driver.");
  const refused = new Set<string>();
  if (limit.f16 === false) refused.add("shader-f16");
  if (limit.subgroups === false) refused.add("subgroups").add("chromium-experimental-subgroup-matrix");
  const requiredFeatures = kFeatures.filter((f) => adapter.features.has(f) && !refused.has(f)) as GPUFeatureName[];
  const requiredLimits = limit.default_limits ? {} : allLimits(adapter.limits);
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  const { info } = adapter;
  const has = (feature: string) => device.features.has(feature);
  return [
    device,
    {
      name: info.description || info.device || `${info.vendor} ${info.architecture}`,
      software: /llvmpipe|lavapipe|swiftshader|software/i.test(`${info.description} ${info.architecture}`),
      f16: has("shader-f16"),
      subgroups: has("subgroups"),
      subgroup_min: info.subgroupMinSize ?? 0,
      subgroup_max: info.subgroupMaxSize ?? 0,
      packed_dot: limit.packed_dot !== false && gpu.wgslLanguageFeatures.has("packed_4x8_integer_dot_product"),
      timestamps: has("timestamp-query"),
      max_buffer: device.limits.maxBufferSize,
      max_binding: device.limits.maxStorageBufferBindingSize,
      max_invocations: device.limits.maxComputeInvocationsPerWorkgroup,
      max_workgroup_bytes: device.limits.maxComputeWorkgroupStorageSize,
      max_storage_buffers: device.limits.maxStorageBuffersPerShaderStage,
    },
  ];
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
