"""What scripts rely on: JSON alone on stdout, its fields, ids that go the way there and back, seeds."""
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

import gguf
import numpy as np

from support import DEMO, GOLDEN, HELD_OUT_TEXT, TERN, FolderTest, Golden, comma, tern, tern_json, tern_ok

RUN_FIELDS = {"text": str, "tokens": list, "prompt_tokens": int, "stop_reason": str, "prefill_tok_s": float,
              "decode_tok_s": float, "load_s": float, "peak_rss_bytes": int}
BENCH_FIELDS = {"batch": int, "prefill_tok_s": float, "decode_tok_s": float, "achieved_gb_s": float,
                "roof_gb_s": float, "share_of_bandwidth": float, "share_of_peak": float}


class ShapeTest(unittest.TestCase):
    def assert_fields(self, value, fields):
        for name, kind in fields.items():
            self.assertIn(name, value)
            self.assertIsInstance(value[name], (int, float) if kind is float else kind, name)


class ModelWithoutTextTest(ShapeTest, FolderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.tiny_model()

    def test_run_with_token_ids(self):
        answer = tern_json("run", self.model, "--tokens", "1,2,3", "--greedy", "-n", 5, "--json")
        self.assert_fields(answer, RUN_FIELDS)
        self.assertEqual((answer["text"], len(answer["tokens"])), ("", 5))
        self.assertEqual((answer["prompt_tokens"], answer["stop_reason"]), (3, "length"))
        for answered in ("--json", ""):
            tern_ok("run", self.model, "--tokens", "1 2\n3", *filter(None, [answered]), "-n", 1)

    def test_every_stop_reason(self):
        run = lambda *options: tern_json("run", self.model, "--tokens", "1,2,3", "--greedy", "--json", *options)
        tokens = run("-n", 6)["tokens"]
        stopped = run("-n", 6, "--stop-token", tokens[3])
        self.assertEqual(stopped["stop_reason"], "stop")
        self.assertEqual(stopped["tokens"], tokens[:tokens.index(tokens[3])])
        self.assertEqual(run("--context", 16)["stop_reason"], "context")
        self.assertEqual(len(run("--context", 16)["tokens"]), 16 - 3 + 1)

    def test_the_end_token_ends_and_is_not_reported(self):
        golden = Golden("llama2-mha")  # its config says that token 2 ends
        config = json.loads((golden.path / "config.json").read_text())
        self.assertEqual(config["eos_token_id"], 2)
        run = lambda *options: tern_json("run", golden.path, "--tokens", comma(golden.ids), "--greedy", "-n", 4,
                                         "--logit-bias", "2:1000", "--json", *options)
        self.assertEqual((run()["tokens"], run()["stop_reason"]), ([], "end"))
        self.assertEqual(run("--ignore-eos")["tokens"], [2, 2, 2, 2])

    def test_seeds(self):
        run = lambda seed: tern_json("run", self.model, "--tokens", "1,2,3", "--seed", seed, "-n", 20, "--json",
                                     "--top-k", 0, "--temperature", 1)["tokens"]
        self.assertEqual(run(7), run(7))
        self.assertNotEqual(run(7), run(8))

    def test_logprobs(self):
        answer = tern_json("run", self.model, "--tokens", "1,2,3", "--greedy", "-n", 3, "--logprobs", 4, "--json")
        self.assertEqual([entry["token"] for entry in answer["logprobs"]], answer["tokens"])
        for entry in answer["logprobs"]:
            self.assertEqual(len(entry["top"]), 4)
            self.assertEqual(entry["top"][0]["token"], entry["token"])  # greedy
            self.assertLessEqual(entry["logprob"], 0)

    def test_logits_are_the_same_in_any_chunks_and_threads(self):
        ids, arrays = comma(range(1, 41)), []
        for options in (("--chunk", 1), ("--chunk", 7), ("--chunk", 64), ("--threads", 1), ("--threads", 3)):
            out = self.out / "logits.npy"
            tern_ok("logits", self.model, "--tokens", ids, "--out", out, *options)
            arrays.append(np.load(out))
        self.assertEqual((arrays[0].shape, arrays[0].dtype), ((40, 512), np.float32))
        for other in arrays[1:]:
            np.testing.assert_array_equal(arrays[0], other)

    def test_logits_into_a_pipe_and_a_full_device(self):
        plain, pipe, full = self.out / "plain.npy", self.out / "pipe.npy", self.out / "full.npy"
        tern_ok("logits", self.model, "--tokens", "1,2,3", "--out", plain)
        os.mkfifo(pipe)
        process = subprocess.Popen([TERN, "logits", self.model, "--tokens", "1,2,3", "--out", pipe])
        self.assertEqual(pipe.read_bytes(), plain.read_bytes())
        self.assertEqual(process.wait(60), 0)
        self.assertTrue(pipe.is_fifo(), "the pipe was replaced by a file")
        full.symlink_to("/dev/full")
        done = tern("logits", self.model, "--tokens", "1,2,3", "--out", full)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("No space left", done.stderr.decode())
        self.assertTrue(full.is_char_device(), "the device was replaced by a file")

    def test_compare_with_ref(self):
        within = r"all \d+ values that both compute are within --tolerance 0.05"
        # The likeliest token of random weights leads by less than int8 may change, so only f32 has to agree.
        self.assertRegex(tern_ok("logits", self.model, "--tokens", "1,2,3", "--compare-with-ref").decode(), within)
        out = tern_ok("logits", self.model, "--tokens", "1,2,3", "--compare-with-ref", "--activations", "f32").decode()
        self.assertIn("agrees at 3 of 3 positions", out)
        self.assertRegex(out, within)

    def test_compare_with_ref_names_the_node_with_a_fault(self):
        model = self.out / "f32.gguf"
        tern_ok("synth", "tiny", "--format", "f32", "-o", model)
        reader = gguf.GGUFReader(model)
        for tensor, node in (("blk.1.attn_k.weight", "blk.1.attn_k"), ("blk.0.ffn_down.weight", "blk.0.ffn_down"),
                             ("output_norm.weight", "output_norm")):
            with self.subTest(tensor=tensor):
                found = next(t for t in reader.tensors if t.name == tensor)
                data = bytearray(model.read_bytes())
                at = int(found.data_offset)
                for i in range(16):  # 16 weights of the first row get another sign and size
                    value, = struct.unpack_from("<f", data, at + 4 * i)
                    struct.pack_into("<f", data, at + 4 * i, -4 * value + 1)
                broken = self.out / "broken.gguf"
                broken.write_bytes(data)
                done = tern("logits", broken, "--tokens", "1,2,3", "--compare-with-ref", "--ref-model", model,
                            "--tolerance", 1e-4)
                self.assertEqual(done.returncode, 1, done)
                first = done.stdout.decode().split("first value beyond")[1]
                self.assertIn(node, first)
                if node.startswith("blk."):
                    self.assertIn(f"layer {node[4]}", first)

    def test_trace(self):
        trace = self.out / "trace.json"
        for command in (("run", self.model, "--tokens", "1,2,3", "-n", 4, "--json"),
                        ("bench", self.model, "-p", 16, "-n", 4, "-r", 1, "--json")):
            tern_ok(*command, "--threads", 2, "--trace", trace)
            events = json.loads(trace.read_text())["traceEvents"]
            lanes = {e["args"]["name"]: e["tid"] for e in events if e["name"] == "thread_name"}
            self.assertEqual(set(lanes), {"engine", "ops", "thread 0", "thread 1"})
            spans = [e for e in events if e["ph"] == "X"]
            self.assertIn("attention", {e["name"] for e in spans if e["tid"] == lanes["ops"]})
            self.assertTrue({"sample", "schedule"} <= {e["name"] for e in spans if e["tid"] == lanes["engine"]})
            for lane in ("engine", "ops", "thread 0"):  # spans of a lane follow each other
                mine = [e for e in spans if e["tid"] == lanes[lane]]
                self.assertTrue(mine)
                for one, next_one in zip(mine, mine[1:]):
                    self.assertGreaterEqual(next_one["ts"] + 0.002, one["ts"] + one["dur"])
            linear = [e for e in spans if e["name"] == "linear_glu" and e["tid"] == lanes["ops"]]
            self.assertTrue(all(e["args"]["bytes"] > 0 and e["args"]["operations"] > 0 for e in linear))
        self.assertNotEqual(tern("run", self.model, "--tokens", "1", "--trace", self.out / "no" / "x").returncode, 0)

    def test_bench_by_op(self):
        for result in tern_json("bench", self.model, "-p", 16, "-n", 4, "-r", 1, "--json"):
            for ops in (result["prefill_ops"], result["decode_ops"]):
                self.assertIn("attention", [op["op"] for op in ops])
                self.assertTrue(all(op["calls"] > 0 and op["seconds"] > 0 for op in ops))
                self.assertEqual(ops, sorted(ops, key=lambda op: -op["seconds"]))
        self.assertIn("decode, by op", tern_ok("bench", self.model, "-p", 8, "-n", 4, "-r", 1).decode())

    def test_bench(self):
        results = tern_json("bench", self.model, "-p", 32, "-n", 8, "-b", "1,4", "--depth", 20, "--threads", 2,
                            "--repeats", 1, "--json")
        self.assertEqual([r["batch"] for r in results], [1, 4])
        for result in results:
            self.assert_fields(result, BENCH_FIELDS)
            self.assertEqual((result["threads"], result["depth"]), (2, 20))
            for name in BENCH_FIELDS:
                self.assertGreater(result[name], 0, name)
        self.assertIn("of bandwidth", tern_ok("bench", self.model, "-p", 8, "-n", 4, "-r", 1).decode())

    def test_synth_writes_the_same_bytes_for_the_same_seed(self):
        def bytes_of(*options):
            tern_ok("synth", "tiny", "-o", self.out / "other.gguf", "--format", "q4_0", *options)
            return (self.out / "other.gguf").read_bytes()
        self.assertEqual(bytes_of(), self.model.read_bytes())
        self.assertNotEqual(bytes_of("--seed", 2), self.model.read_bytes())

    def test_synth_in_every_format_plays(self):
        for fmt in ("f32", "f16", "bf16", "q8_0", "q6_k", "q5_k", "q5_1", "q5_0", "q4_k", "q4_1", "q4_0", "iq4_nl",
                    "iq4_xs", "mxfp4", "q3_k", "q2_k", "q4_k_m"):
            with self.subTest(format=fmt):
                path = self.out / f"{fmt}.gguf"
                tern_ok("synth", "tiny", "--format", fmt, "-o", path)
                answer = tern_json("run", path, "--tokens", "1,2,3", "--greedy", "-n", 4, "--json")
                self.assertEqual(len(answer["tokens"]), 4)

    def test_info(self):
        info = tern_json("info", self.model, "--json")
        self.assertEqual((info["architecture"], info["layers"], info["vocab"]), ("llama", 2, 512))
        self.assertEqual(info["formats"]["q4_0"]["tensors"], 15)
        # K and V of 2 layers, 2 KV heads of 64, f16.
        self.assertEqual(info["memory"][0]["kv_f16_bytes"], 1024 * 2 * 2 * 2 * 64 * 2)
        self.assertIn("blk.1.ffn_down.weight", tern_ok("info", self.model, "--tensors").decode())
        self.assertIn("llama.block_count", tern_ok("info", self.model, "--metadata").decode())
        self.assertIn("attention", tern_ok("info", self.model, "--dump-graph").decode())
        self.assertIn("attention", tern_ok("info", self.model, "--dump-plan").decode())
        for name in ("mixtral", "gemma3", "llama3-awq-g128"):
            self.assertIn("architecture", tern_ok("info", GOLDEN / name).decode())

    def test_output_that_is_lost_is_no_success(self):
        for args in (["info", self.model], ["info", self.model, "--dump-plan"], ["info", self.model, "--json"],
                     ["run", self.model, "--tokens", "1", "-n", 2], ["run", self.model, "--tokens", "1", "--json"],
                     ["--help"], ["bench", self.model, "-p", 8, "-n", 2, "-r", 1, "--json"]):
            for where in (">/dev/full", ">&-"):
                with self.subTest(args=args, where=where):
                    command = ["bash", "-c", f'"$0" "$@" {where}', TERN, *map(str, args)]
                    done = subprocess.run(command, capture_output=True, timeout=60)
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertEqual(done.stderr, b"tern: Standard output cannot be written. Is the disk full?\n")

    def test_help_of_every_command_has_examples(self):
        for command in ("chat", "run", "embed", "info", "tokenize", "logits", "perplexity", "bench", "convert",
                        "synth"):
            self.assertIn("Examples:", tern_ok(command, "--help").decode(), command)


@unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
class DemoTest(ShapeTest):
    def test_raw_text_gets_bos_and_chat_gets_the_template(self):
        raw = tern_json("run", DEMO, "-p", "Hello", "-n", 1, "--json")
        ids = tern_ok("tokenize", DEMO, "--bos", stdin="Hello").split(b",")
        self.assertEqual(raw["prompt_tokens"], len(ids))
        chat = tern_json("run", DEMO, "--chat", "-p", "What is 2 + 3?", "--greedy", "--json")
        self.assert_fields(chat, RUN_FIELDS)
        self.assertIn("5", chat["text"])
        self.assertEqual(chat["stop_reason"], "end")
        messages = json.dumps([{"role": "user", "content": "What is 2 + 3?"}])
        self.assertEqual(tern_json("run", DEMO, "--messages", messages, "--greedy", "--json")["tokens"], chat["tokens"])
        self.assertEqual(tern_json("run", DEMO, "--chat", "--greedy", "--json", stdin="What is 2 + 3?")["tokens"],
                         chat["tokens"])
        decoded = tern_ok("tokenize", DEMO, "--decode", stdin=comma(chat["tokens"])).decode()
        self.assertEqual(decoded, chat["text"])

    def test_stop_strings(self):
        chat = lambda *options: tern_json("run", DEMO, "--chat", "-p", "What is 2 + 3?", "--greedy", "--json", *options)
        self.assertIn("=", chat()["text"])
        stopped = chat("--stop", "=")
        self.assertEqual(stopped["stop_reason"], "stop")
        self.assertEqual(stopped["text"], chat()["text"].split("=")[0])

    def test_text_streams_to_stdout(self):
        out = tern("run", DEMO, "--chat", "-p", "What is 2 + 3?", "--greedy")
        self.assertEqual(out.stdout.decode().strip(),
                         tern_json("run", DEMO, "--chat", "-p", "What is 2 + 3?", "--greedy", "--json")["text"].strip())
        self.assertEqual(out.stderr, b"")

    def test_tokenize_there_and_back(self):
        texts = [HELD_OUT_TEXT.read_bytes()[:20000], b"\xff\xfe broken", b"",
                 "Grüße, 世界! \U0001f600\n\n\t x  y".encode()]
        for text in texts:
            ids = tern_ok("tokenize", DEMO, stdin=text)
            self.assertRegex(ids.decode(), r"^(\d+(,\d+)*)?\n$")
            self.assertEqual(tern_ok("tokenize", DEMO, "--decode", stdin=ids), text)

    def test_control_tokens_in_text(self):
        text = "<|eot_id|>"
        plain = tern_ok("tokenize", DEMO, stdin=text).split(b",")
        special = tern_ok("tokenize", DEMO, "--special", stdin=text).split(b",")
        self.assertGreater(len(plain), 1)
        self.assertEqual(len(special), 1)
        self.assertEqual(tern_ok("tokenize", DEMO, "--special", "--decode", stdin=special[0]).decode(), text)
        self.assertEqual(tern_ok("tokenize", DEMO, "--decode", stdin=special[0]), b"")

    def test_control_tokens_in_a_message_stay_text(self):
        tokens_of = lambda text: tern_json("run", DEMO, "--chat", "-p", text, "-n", 1, "--json")["prompt_tokens"]
        plain = len(tern_ok("tokenize", DEMO, stdin="<|eot_id|>").split(b","))
        self.assertEqual(tokens_of("<|eot_id|>") - tokens_of("7"), plain - 1)

    def test_perplexity(self):
        text = HELD_OUT_TEXT.read_bytes()[:4000]
        result = tern_json("perplexity", DEMO, "-", "--window", 256, "--json", stdin=text)
        self.assertLess(result["perplexity"], 10)
        self.assertGreater(result["tokens"], 500)
        again = tern_json("perplexity", DEMO, "-", "--window", 256, "--json", "--chunk", 16, stdin=text)
        self.assertEqual(result["perplexity"], again["perplexity"])

    def test_int8_activations_cost_less_than_half_a_percent_of_perplexity(self):
        text = HELD_OUT_TEXT.read_bytes()[:4000]
        with tempfile.TemporaryDirectory() as folder:
            for name in ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "mxfp4",
                         "bf16"):
                model = pathlib.Path(folder) / f"{name}.gguf"
                tern_ok("convert", DEMO, "-o", model, "--format", name)
                int8, f32 = (tern_json("perplexity", model, "-", "--window", 256, "--json", "--activations", kind,
                                       stdin=text)["perplexity"] for kind in ("auto", "f32"))
                with self.subTest(format=name):
                    self.assertLess(abs(int8 / f32 - 1), 0.005)

    def test_perplexity_by_numpy(self):
        ids = [int(x) for x in tern_ok("tokenize", DEMO, "--bos", stdin=HELD_OUT_TEXT.read_bytes()[:600]).split(b",")]
        text = tern_ok("tokenize", DEMO, "--decode", stdin=comma(ids[1:]))
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "logits.npy"
            tern_ok("logits", DEMO, "--tokens", comma(ids), "--out", out)
            logits = np.load(out).astype(np.float64)[:-1]
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        expected = np.exp(-log_probs[np.arange(len(ids) - 1), ids[1:]].mean())
        result = tern_json("perplexity", DEMO, "-", "--window", len(ids), "--json", stdin=text)
        self.assertEqual(result["tokens"], len(ids) - 1)
        self.assertAlmostEqual(result["perplexity"] / expected, 1, places=6)

    def test_a_closed_pipe_ends_quietly(self):
        command = f"'{TERN}' run '{DEMO}' -p Once -n 200 --ignore-eos | head -c 1"
        done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60)
        self.assertEqual(done.stderr, b"")


if __name__ == "__main__":
    unittest.main()
