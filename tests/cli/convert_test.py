"""tern convert: formats, metadata and tokenizers, checked by the gguf package and by llama.cpp."""
import json
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import gguf
import numpy as np

from support import DEMO, GOLDEN, HELD_OUT_TEXT, TERN, Golden, Llama, comma, tern, tern_json, tern_ok

QUANTS = gguf.GGMLQuantizationType


def relative_error(values, of):
    return float(np.sqrt(np.mean((values - of) ** 2) / np.mean(of**2)))


def values_of(tensor):
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(tensor.data.shape[0], -1)


class ConvertTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = pathlib.Path(cls.folder.name)
        cls.tiny = cls.out / "tiny-f32.gguf"
        tern_ok("synth", "tiny", "--format", "f32", "-o", cls.tiny)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def convert(self, source, fmt):
        path = self.out / f"{pathlib.Path(source).stem}-to-{fmt}.gguf"
        done = tern("convert", source, "-o", path, "--format", fmt)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(done.stdout, b"")
        return path, done.stderr.decode()

    def test_every_format_decodes_to_nearly_the_same_weights(self):
        # Rounding to n levels between -max and max of bell-shaped weights (block maximum about 2.5 sigma) leaves an
        # error of 2.5 / n / sqrt(3) sigma: 0.18 for 4 bits with one scale per 32 weights, half for each bit more.
        bounds = {"f16": 2**-11, "bf16": 2**-8, "q8_0": 0.012, "q5_0": 0.09, "q5_1": 0.09, "q4_0": 0.18, "q4_1": 0.18,
                  "q4_k": 0.12, "q5_k": 0.06, "q6_k": 0.04}
        original = {t.name: t for t in gguf.GGUFReader(self.tiny).tensors}
        for fmt, bound in bounds.items():
            with self.subTest(format=fmt):
                path, _ = self.convert(self.tiny, fmt)
                reader = gguf.GGUFReader(path)
                self.assertEqual([t.name for t in reader.tensors], list(original))
                for tensor in reader.tensors:
                    if len(tensor.shape) == 1:
                        self.assertEqual(tensor.tensor_type, QUANTS.F32, tensor.name)
                        np.testing.assert_array_equal(tensor.data, original[tensor.name].data)
                        continue
                    self.assertEqual(tensor.tensor_type, QUANTS[fmt.upper()], tensor.name)
                    error = relative_error(values_of(tensor), original[tensor.name].data)
                    self.assertLess(error, bound, tensor.name)

    def test_file_type_and_metadata(self):
        names = {"f16": "MOSTLY_F16", "q8_0": "MOSTLY_Q8_0", "q4_k": "MOSTLY_Q4_K_S", "q4_k_m": "MOSTLY_Q4_K_M"}
        before = gguf.GGUFReader(self.tiny)
        for fmt, name in names.items():
            path, _ = self.convert(self.tiny, fmt)
            after = gguf.GGUFReader(path)
            self.assertEqual(after.get_field("general.file_type").contents(), int(gguf.LlamaFileType[name]))
            for key in before.fields:
                if key not in ("general.file_type", "general.quantization_version") and not key.startswith("GGUF."):
                    self.assertEqual(after.get_field(key).contents(), before.get_field(key).contents(), key)

    def test_the_mix(self):
        path, _ = self.convert(self.tiny, "q4_k_m")
        types = {t.name: t.tensor_type for t in gguf.GGUFReader(path).tensors}
        self.assertEqual(types["token_embd.weight"], QUANTS.Q6_K)  # tied: it is the head
        self.assertEqual(types["blk.0.attn_q.weight"], QUANTS.Q4_K)

    def test_same_format_keeps_every_byte(self):
        path, _ = self.convert(self.tiny, "q6_k")
        again = self.out / "again.gguf"
        tern_ok("convert", path, "-o", again, "--format", "q6_k")
        self.assertEqual(path.read_bytes(), again.read_bytes())

    def test_threads_do_not_matter(self):
        one, three = self.out / "one.gguf", self.out / "three.gguf"
        tern_ok("convert", self.tiny, "-o", one, "--format", "q4_k", "--threads", 1)
        tern_ok("convert", self.tiny, "-o", three, "--format", "q4_k", "--threads", 3)
        self.assertEqual(one.read_bytes(), three.read_bytes())

    def test_rows_that_blocks_do_not_divide_are_said(self):
        path, messages = self.convert(GOLDEN / "llama32-tied", "q4_k")  # rows of 64, 96 and 176
        types = {t.name: t.tensor_type for t in gguf.GGUFReader(path).tensors}
        self.assertEqual(types["blk.0.attn_q.weight"], QUANTS.Q8_0)
        self.assertEqual(types["blk.0.ffn_down.weight"], QUANTS.F16)
        self.assertIn("176 columns, which q4_k in blocks of 256 cannot hold: written as f16", messages)

    def test_awq_becomes_gguf(self):
        golden = Golden("llama3-awq-g128")
        path, _ = self.convert(golden.path, "f32")
        with Llama(path) as peer:
            self.assertEqual(peer.greedy(golden.ids, 32), golden.greedy)

    def test_int8_becomes_gguf(self):
        source = self.out / "int8"
        dequantised = int8_checkpoint(GOLDEN / "llama32-tied", source)
        path, _ = self.convert(source, "f32")
        tensors = {t.name: t.data for t in gguf.GGUFReader(path).tensors}
        np.testing.assert_array_equal(tensors["blk.1.ffn_down.weight"],
                                      dequantised["model.layers.1.mlp.down_proj.weight"])
        ids = Golden("llama32-tied").ids
        ours = tern_json("run", source, "--tokens", comma(ids), "--greedy", "-n", 16, "--ignore-eos", "--json")
        with Llama(path) as peer:
            self.assertEqual(peer.greedy(ids, 16), ours["tokens"])

    def test_ctrl_c_leaves_no_half_a_file(self):
        many = self.out / "many.txt"
        many.write_text(comma([1] * 500))
        commands = {
            "synth": ("llama-3-8b", "--format", "f16"),
            "logits": (DEMO, "--device", "ref", "--chunk", 1, "--tokens", f"@{many}"),
        }
        for command, arguments in commands.items():
            with self.subTest(command):
                words = [TERN, command, *map(str, arguments), "--out", self.out / "large.bin"]
                process = subprocess.Popen(words, stderr=subprocess.PIPE)
                while not any(p.name.startswith("large") for p in self.out.iterdir()):
                    time.sleep(0.001)
                process.send_signal(signal.SIGINT)
                message = process.communicate(timeout=60)[1].decode()
                self.assertEqual(process.returncode, 1, message)
                self.assertIn("was not written", message)
                self.assertFalse([p for p in self.out.iterdir() if p.name.startswith("large")])

    def test_nothing_is_left_behind_by_a_failure(self):
        before = sorted(self.out.iterdir())
        done = tern("convert", self.tiny, "-o", self.out / "no.gguf", "--format", "awq")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(sorted(self.out.iterdir()), before)


@unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
class DemoConvertTest(unittest.TestCase):
    """A trained model: perplexity means something, and there is a tokenizer to carry over."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = pathlib.Path(cls.folder.name)
        text = HELD_OUT_TEXT.read_text()[:4000]
        cls.ids = [int(x) for x in tern_ok("tokenize", DEMO, "--bos", stdin=text).split(b",")][:256]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def logits(self, model):
        out = self.out / "logits.npy"
        tern_ok("logits", model, "--tokens", comma(self.ids), "--out", out, "--kv", "f32")
        return np.load(out).astype(np.float64)

    def perplexity(self, logits):
        logits = logits[:-1] - logits[:-1].max(axis=1, keepdims=True)
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return float(np.exp(-log_probs[np.arange(len(self.ids) - 1), self.ids[1:]].mean()))

    def test_llama_cpp_agrees_on_requantised_files(self):
        for fmt in ("f16", "q8_0", "q4_0", "q4_k", "q6_k"):
            with self.subTest(format=fmt):
                path = self.out / f"{fmt}.gguf"
                tern_ok("convert", DEMO, "-o", path, "--format", fmt)
                ours = self.logits(path)
                with Llama(path, n_ctx=512) as peer:
                    theirs = peer.logits(self.ids).astype(np.float64)
                self.assertAlmostEqual(self.perplexity(ours) / self.perplexity(theirs), 1, delta=0.01)
                # llama.cpp rounds activations to int8 with a scale per 32 (per 256 for K-quants): an error of about
                # one percent each, on logits whose deviation is 3. Where the two likeliest tokens are further apart
                # than that can explain, both must choose the same.
                self.assertLess(np.sqrt(np.mean((ours - theirs) ** 2)), 0.05 * ours.std())
                first, second = np.sort(ours, axis=1)[:, [-1, -2]].T
                clear = first - second > 0.5
                self.assertGreater(clear.mean(), 0.3)
                np.testing.assert_array_equal(ours.argmax(axis=1)[clear], theirs.argmax(axis=1)[clear])

    def test_perplexity_suffers_little(self):
        base = self.perplexity(self.logits(DEMO))
        for fmt, factor in {"q8_0": 1.001, "q6_k": 1.02, "q4_k": 1.15, "q4_0": 1.3}.items():
            path = self.out / f"p-{fmt}.gguf"
            tern_ok("convert", DEMO, "-o", path, "--format", fmt)
            self.assertLess(self.perplexity(self.logits(path)), base * factor, fmt)

    def test_tokenizer_of_a_hugging_face_folder_is_carried_over(self):
        # A model of the demo's vocabulary from safetensors: a golden one will not do, its vocabulary is smaller. So the
        # golden model's embedding stands in, and the tokenizer is cut to its 320 rows: byte tokens and some merges.
        source = self.out / "hf"
        shutil.copytree(GOLDEN / "llama32-tied", source, dirs_exist_ok=True)
        small = small_tokenizer(pathlib.Path(HELD_OUT_TEXT).parent / "tokenizer.json", 300)
        (source / "tokenizer.json").write_text(small)
        (source / "tokenizer_config.json").write_text('{"bos_token": "<|begin|>", "eos_token": "<|end|>"}')
        (source / "chat_template.jinja").write_text("{{ bos_token }}{{ messages[0].content }}")
        path = self.out / "carried.gguf"
        tern_ok("convert", source, "-o", path, "--format", "f32")
        text = "Hello there, 12345 terns!\n  Über \U0001f600"
        ids = tern_ok("tokenize", source, "--bos", stdin=text)
        self.assertEqual(tern_ok("tokenize", path, "--bos", stdin=text), ids)
        reader = gguf.GGUFReader(path)
        contents = lambda key: reader.get_field(f"tokenizer.{key}").contents()
        self.assertEqual(len(contents("ggml.tokens")), 320)  # filled up to the embedding's rows
        self.assertEqual(len(set(contents("ggml.tokens"))), 320)
        self.assertEqual(contents("ggml.model"), "gpt2")
        self.assertEqual(contents("ggml.pre"), "llama-bpe")
        self.assertEqual(contents("ggml.tokens")[contents("ggml.bos_token_id")], "<|begin|>")
        self.assertEqual(contents("ggml.tokens")[contents("ggml.eos_token_id")], "<|end|>")
        self.assertEqual(contents("chat_template"), "{{ bos_token }}{{ messages[0].content }}")
        self.assertEqual(llama_cpp_ids(path, text), [int(x) for x in ids.split(b",")])
        a = tern_json("run", source, "--chat", "-p", text, "--greedy", "-n", 8, "--json")
        b = tern_json("run", path, "--chat", "-p", text, "--greedy", "-n", 8, "--json")
        self.assertEqual((a["text"], a["tokens"], a["prompt_tokens"]), (b["text"], b["tokens"], b["prompt_tokens"]))


def int8_checkpoint(source, target):
    """The model with its linear weights as int8 and a scale per row, as compressed-tensors writes them; the weights
    that this means, by name."""
    target.mkdir()
    data = (source / "model.safetensors").read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    parts, dequantised = {}, {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        weight = np.frombuffer(data[8 + size + begin:8 + size + end], "<f4").reshape(entry["shape"])
        if not name.endswith("_proj.weight"):
            parts[name] = ("F32", weight)
            continue
        scale = (np.abs(weight).max(axis=1, keepdims=True) / 127).astype(np.float32)
        codes = np.rint(weight / scale).astype(np.int8)
        parts[name], parts[name + "_scale"] = ("I8", codes), ("F32", scale)
        dequantised[name] = codes.astype(np.float32) * scale
    header, body = {}, b""
    for name, (dtype, array) in parts.items():
        offsets = [len(body), len(body) + array.nbytes]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
        body += array.tobytes()
    text = json.dumps(header).encode()
    (target / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    config = json.loads((source / "config.json").read_text())
    weights = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel"}
    config["quantization_config"] = {"quant_method": "compressed-tensors", "format": "int-quantized",
                                     "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}
    (target / "config.json").write_text(json.dumps(config))
    return dequantised


def small_tokenizer(path, n):
    """The tokenizer.json at `path` with its first n tokens, and two special ones."""
    tokenizer = json.loads(path.read_text())
    model = tokenizer["model"]
    model["vocab"] = {token: i for token, i in model["vocab"].items() if i < n}
    merges = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
    known = model["vocab"]
    model["merges"] = [m for m in merges if m[0] in known and m[1] in known and m[0] + m[1] in known]
    tokenizer["added_tokens"] = [
        {"id": n + i, "content": name, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False} for i, name in enumerate(("<|begin|>", "<|end|>"))]
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|begin|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [], "special_tokens": {"<|begin|>": {"id": "<|begin|>", "ids": [n], "tokens": ["<|begin|>"]}}}
    return json.dumps(tokenizer)


def llama_cpp_ids(path, text):
    import llama_cpp
    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    ids = model.tokenize(text.encode(), add_bos=True, special=False)
    model.close()
    return ids


if __name__ == "__main__":
    unittest.main()
