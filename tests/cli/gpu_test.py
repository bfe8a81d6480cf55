"""What the command line does with a GPU, on whatever Vulkan there is: scripts/setup's lavapipe in make test."""
import json
import os
import unittest

from support import FolderTest, has_gpu, tern, tern_json, tern_ok


@unittest.skipUnless(has_gpu(), "no WebGPU adapter")
class GpuTest(FolderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.tiny_model()

    def run_tokens(self, *options, env=None):
        done = tern("run", self.model, "--device", "gpu", "--tokens", "1,2,3", "--greedy", "-n", 6, "--json", *options,
                    env=env)
        self.assertEqual(done.returncode, 0, done)
        return json.loads(done.stdout)["tokens"], done.stderr.decode()

    def test_trace_has_every_kernel_beside_the_engine(self):
        trace = self.out / "trace.json"
        traced, _ = self.run_tokens("--trace", trace)
        self.assertEqual(traced, self.run_tokens()[0])
        events = json.loads(trace.read_text())["traceEvents"]
        lanes = {e["args"]["name"]: e["tid"] for e in events if e["name"] == "thread_name"}
        self.assertEqual(set(lanes), {"engine", "gpu"})
        spans = [e for e in events if e["ph"] == "X" and e["tid"] == lanes["gpu"]]
        # Six steps, the first of three tokens; two layers of at least five kernels in each.
        self.assertGreater(len(spans), 6 * 2 * 5)
        self.assertIn("blk.1.ffn_down+ffn_residual", {e["args"]["of"] for e in spans})
        products = [e for e in spans if e["name"] == "fused_glu"]
        self.assertTrue(products)
        for span in products:  # gate and up: 2 x 512 rows of 256 columns, 18 bytes per 32 of them, and activations
            self.assertGreaterEqual(span["args"]["bytes"], 2 * 512 * 256 / 32 * 18)
            self.assertIn(span["args"]["operations"], [2 * n * 2 * 512 * 256 for n in (1, 3)])
        begins = [e["ts"] for e in spans]
        self.assertEqual(begins, sorted(begins))
        steps = [e for e in events if e["ph"] == "X" and e["tid"] == lanes["engine"] and e["name"] == "schedule"]
        self.assertGreaterEqual(begins[0], steps[0]["ts"], "no kernel runs before the first step is made")

    def test_bench_by_kernel(self):
        result = tern_json("bench", self.model, "--device", "gpu", "-p", 32, "-n", 4, "-r", 1, "--json")[0]
        self.assertIn("fused_head", {op["op"] for op in result["decode_ops"]})
        for ops in (result["prefill_ops"], result["decode_ops"]):
            self.assertTrue(all(op["calls"] > 0 and op["seconds"] >= 0 for op in ops))
            self.assertTrue(any(op["gop_s"] > 0 and 0 < op["share_of_limit"] for op in ops))
        text = tern_ok("bench", self.model, "--device", "gpu", "-p", 8, "-n", 4, "-r", 1).decode()
        self.assertIn("decode, by kernel", text)
        self.assertIn("of the limit", text)

    def test_tune_keeps_what_is_faster_and_later_runs_use_it(self):
        kept = self.out / "tuning.json"
        told = tern_json("tune", self.model, "--tokens", 1, "--most", 2, "--json", "-o", kept)
        self.assertEqual(told["file"], str(kept))
        works = {shape["work"]: shape for shape in told["shapes"]}
        self.assertIn("fused_qkv q4 512x256 1", works)
        for shape in works.values():
            self.assertGreater(shape["variants"], 1)
            self.assertLessEqual(shape["best_s"], shape["standard_s"])
        database = json.loads(kept.read_text())
        better = {work: shape["best"] for work, shape in works.items() if shape["best"] != shape["standard"]}
        self.assertEqual(database, {"format": 1, "adapters": {told["adapter"]: better}})
        self.assertEqual(self.run_tokens("--tuning", kept)[0], self.run_tokens("--tuning", "none")[0])

        # The default place, and what another adapter or version left in it.
        cache = self.out / "cache"
        tern("tune", self.model, "--tokens", 1, "--most", 2, env={"XDG_CACHE_HOME": str(cache)})
        place = cache / "tern" / "gpu_tuning.json"
        self.assertTrue(place.exists())
        env = {"XDG_CACHE_HOME": str(cache)}
        strange = {told["adapter"]: {"fused_qkv q4 512x256 1": [7, 7, 7], "unknown": []}, "another": {"x": [1]}}
        place.write_text(json.dumps({"format": 1, "adapters": strange}))
        self.assertEqual(self.run_tokens(env=env), self.run_tokens("--tuning", "none"))
        place.write_text("{")
        tokens, told = self.run_tokens(env=env)
        self.assertEqual(tokens, self.run_tokens("--tuning", "none")[0])
        self.assertIn("going on without tuning", told)
        done = tern("run", self.model, "--device", "gpu", "--tokens", "1", "-n", 1, "--tuning", place)
        self.assertEqual(done.returncode, 2)
        self.assertIn(str(place), done.stderr.decode())

    def test_values_of_all_steps_are_those_of_ref(self):
        # Several rows at once: outputs that are columns of a merged q, k and v come back without the others.
        done = tern_ok("logits", self.model, "--device", "gpu", "--tokens", "1,2,3,4,5", "--compare-with-ref")
        self.assertRegex(done.decode(), r"all \d+ values that both compute are within --tolerance 0.05")

    def test_tune_says_what_it_cannot_do(self):
        done = tern("tune", self.model, "--device", "cpu", "-o", self.out / "none.json")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no shapes to tune", done.stderr.decode())
        if os.geteuid() != 0:  # root writes anywhere
            done = tern("tune", self.model, "--tokens", 1, "--most", 2, "-o", "/proc/tuning.json")
            self.assertNotEqual(done.returncode, 0)

    def test_what_does_not_fit_is_said_before_anything_is_uploaded(self):
        # Four sequences of ten million tokens, whose keys are 2 heads of 64 in f16: 10 GB a layer.
        options = ("-p", 8, "-n", 2, "-r", 1, "-b", 4, "--depth", 10000000, "--memory-limit", "none")
        done = tern("bench", self.model, "--device", "gpu", *options)
        self.assertEqual(done.returncode, 2, done)
        text = done.stderr.decode()
        self.assertIn("keys need", text)
        self.assertIn("MB of memory", text)


if __name__ == "__main__":
    unittest.main()
