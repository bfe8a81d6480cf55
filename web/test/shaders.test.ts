// Every shader that the lowering can emit compiles with Tint, the compiler of Chromium and of Dawn for Node: as far as
// WGSL goes on Dawn's null backend, which has every feature, and for a driver where an adapter has what a shader wants.
// A sample, or all of them with TERN_TEST_ALL. Natively the same is tests/engine/every_shader_test.cc.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { before, test } from "node:test";
import { openDevice } from "../src/gpu.js";
import { Kernels } from "../src/kernels.js";
import { nodeGpu, repositoryPath } from "../src/node.js";
import { Access } from "../src/plan.js";

interface Shader {
  name: string;
  source: string;
  access: string; // "rrw"
}

const all = process.env["TERN_TEST_ALL"] !== undefined;
const kSample = 193; // coprime to the sizes of all tables of tests/webgpu/every_plan.cc
let shaders: Shader[] = [];
const gpus: GPU[] = []; // Dawn's devices do not keep what they came from alive

async function openGpu(flags: string[] = []): ReturnType<typeof openDevice> {
  const gpu = await nodeGpu(flags);
  gpus.push(gpu);
  return openDevice(gpu);
}

before(() => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tern-"));
  const file = path.join(folder, "shaders");
  execFileSync(repositoryPath("build/tests/list_shaders"), [file, all ? "1" : String(kSample)]);
  const lines = fs.readFileSync(file, "utf8").trimEnd().split("\n");
  shaders = lines.map((line) => JSON.parse(line) as Shader);
  fs.rmSync(folder, { recursive: true });
});

/// Lines "enable f16;" of a shader, as the features of a device that they need.
function featuresOf({ source }: Shader): string[] {
  const words: Record<string, string> = {
    f16: "shader-f16",
    subgroups: "subgroups",
    chromium_experimental_subgroup_matrix: "chromium-experimental-subgroup-matrix",
  };
  return [...source.matchAll(/^enable (\w+);/gm)].map(([, word = ""]) => words[word] ?? word);
}

/// Runs `compile` for the shaders that the device has the features for, some at a time; each failure is a sentence.
async function compileAll(device: GPUDevice, compile: (shader: Shader) => Promise<string[]>): Promise<string> {
  const leftOut = new Map<string, number>(); // by the feature that is missing
  const failures: string[] = [];
  let compiled = 0;
  let running: Promise<string[]>[] = [];
  const finish = async () => {
    failures.push(...(await Promise.all(running)).flat());
    running = [];
  };
  for (const shader of shaders) {
    const missing = featuresOf(shader).find((feature) => !device.features.has(feature as GPUFeatureName));
    if (missing !== undefined) {
      leftOut.set(missing, (leftOut.get(missing) ?? 0) + 1);
      continue;
    }
    compiled++;
    running.push(compile(shader));
    if (running.length === 64) await finish();
  }
  await finish();
  assert.deepEqual(failures.slice(0, 10), [], `${failures.length} shaders do not compile`);
  assert.ok(compiled > 100, String(compiled));
  const notes = [...leftOut].map(([feature, n]) => `; ${n} are left out, for want of ${feature}`);
  return `${compiled} shaders${notes.join("")}`;
}

test("every shader is WGSL that Tint takes", async (t) => {
  // The null backend has every feature, and WebGPU's default limits, which are looked at when pipelines are made.
  const [device] = await openGpu(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  const told = await compileAll(device, async ({ name, source }) => {
    device.pushErrorScope("validation");
    const { messages } = await device.createShaderModule({ code: source }).getCompilationInfo();
    void device.popErrorScope(); // the messages say it better
    return messages.filter((m) => m.type === "error").map((m) => `${name}, line ${m.lineNum}: ${m.message}`);
  });
  t.diagnostic(`Tint took ${told}`);
});

test("every shader compiles for an adapter that has what it needs", async (t) => {
  const [device, facts] = await openGpu();
  const kernels = new Kernels(device);
  const told = await compileAll(device, async ({ name, source, access }) => {
    const kinds = [...access].map((a) => (a === "w" ? Access.ReadWrite : Access.Read));
    return kernels.compile({ name, source, access: kinds }).then(
      () => [],
      (error: unknown) => [String(error)],
    );
  });
  t.diagnostic(`Dawn compiled ${told}, for ${facts.device}`);
  device.destroy();
});
