// Which module runs, by what an engine knows and its page allows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseModule, findFeatures } from "../src/modules.js";
import type { Features } from "../src/modules.js";

const kBrowser: Features = { simd: true, relaxedSimd: true, threads: true, isolated: true, cores: 4 };
const choose = (features: Partial<Features>, wanted: number | null = null) =>
  chooseModule({ ...kBrowser, ...features }, wanted);

test("the best module that an engine knows", () => {
  const files = (features: Partial<Features>) => choose(features).file;
  assert.equal(files({}), "tern-relaxed-threads.wasm");
  assert.equal(files({ relaxedSimd: false }), "tern-threads.wasm");
  assert.equal(files({ threads: false }), "tern-relaxed.wasm");
  assert.equal(files({ threads: false, relaxedSimd: false }), "tern.wasm");
  assert.throws(() => choose({ simd: false }), /no SIMD/);
});

test("threads: one per core, at most 16, or as many as are asked for", () => {
  assert.equal(choose({}).threads, 4);
  assert.equal(choose({ cores: 64 }).threads, 16);
  assert.equal(choose({}, 3).threads, 3);
  assert.equal(choose({}, 0).threads, 1);
});

test("one thread has a reason", () => {
  const alone = (features: Partial<Features>, wanted: number | null = null) => {
    const { file, threads, why } = choose(features, wanted);
    assert.equal(file, "tern-relaxed.wasm");
    assert.equal(threads, 1);
    return why;
  };
  assert.equal(alone({ isolated: false }), "relaxed SIMD, one thread, as the page is not cross-origin isolated");
  assert.equal(alone({ threads: false }), "relaxed SIMD, one thread, as this browser has no shared memory");
  assert.equal(alone({ cores: 1 }), "relaxed SIMD, one thread, as there is one core");
  assert.equal(alone({}, 1), "relaxed SIMD, one thread, as it was asked for");
  assert.equal(choose({ relaxedSimd: false }).why, "SIMD, 4 threads");
});

test("this Node has SIMD and threads, and knows it", () => {
  const { simd, threads, isolated } = findFeatures();
  assert.deepEqual({ simd, threads, isolated }, { simd: true, threads: true, isolated: true });
});
