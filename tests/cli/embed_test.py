"""tern embed: what the head makes of a hidden state are PyTorch's logits; llama.cpp's embeddings; and manners."""
import unittest

import gguf
import numpy as np

from support import DEMO, GOLDEN_NAMES, FolderTest, Golden, Llama, comma, has_gpu, note, tern, tern_json, tern_ok

# As in golden_test.py: sums of some hundred products in an order of our own. A mean of 48 adds nothing to that.
F32_BOUND = 2e-4
PEER_BOUND = 2e-3
# llama.cpp ignores the sliding windows of this one.
WINDOW_IGNORED = {"mistral-swa16": 16}
FINAL_SOFTCAP = {"gemma2": 30.0}


class EmbedTest(FolderTest):
    def head_of(self, name):
        """[vocab, d_model], read by the gguf package."""
        tensors = {t.name: t for t in gguf.GGUFReader(self.as_gguf(name)).tensors}
        head = tensors.get("output.weight", tensors["token_embd.weight"])
        return head.data.astype(np.float64)

    def embed(self, model, ids, pooling, *options, activations="f32"):
        answer = tern_json("embed", model, "--tokens", comma(ids), "--pooling", pooling, "--no-normalize", "--json",
                           "--kv", "f32", "--activations", activations, *options)
        self.assertEqual(answer["prompt_tokens"], [len(ids)])
        self.assertEqual((answer["pooling"], answer["normalized"]), (pooling, False))
        vector, = answer["embeddings"]
        self.assertEqual(answer["dimensions"], len(vector))
        return np.array(vector)

    def check_head(self, name, pooling, *options):
        """A head is linear: of the mean of hidden states it makes the mean of the logits."""
        golden = Golden(name)
        logits = golden.logits.astype(np.float64)
        if name in FINAL_SOFTCAP:  # what the head gave before the cap
            logits = FINAL_SOFTCAP[name] * np.arctanh(logits / FINAL_SOFTCAP[name])
        found = self.head_of(name) @ self.embed(golden.path, golden.ids, pooling, *options)
        expected = logits[-1] if pooling == "last" else logits.mean(axis=0)
        self.assertLess(np.abs(found - expected).max(), F32_BOUND, f"{pooling} {options}")

    def test_the_head_makes_pytorchs_logits_of_them(self):
        for name in GOLDEN_NAMES:
            with self.subTest(model=name):
                for pooling in ("mean", "last"):
                    for options in (("ref",), ("cpu",), ("cpu", "--chunk", 7)):
                        self.check_head(name, pooling, "--device", *options)

    def test_on_a_gpu(self):
        if not has_gpu():
            return
        for name in GOLDEN_NAMES:
            if "awq" in name:  # 4-bit weights have activations of 8 bits there: other logits, by design
                continue
            with self.subTest(model=name):
                self.check_head(name, "mean", "--device", "gpu", "--chunk", 7)
                self.check_head(name, "last", "--device", "gpu")

    def test_quantised_on_a_gpu(self):
        """Fused kernels, whose activations are int8: as near to f32 as the CPU's int8 is, or half as near again."""
        if not has_gpu():
            return
        model = self.out / "q4.gguf"
        tern_ok("synth", "tiny", "--format", "q4_0", "-o", model)
        ids = [(37 * i) % 500 + 1 for i in range(90)]
        for pooling in ("mean", "last"):
            exact = self.embed(model, ids, pooling, "--device", "cpu")
            off = lambda *options: np.linalg.norm(
                self.embed(model, ids, pooling, *options, activations="auto") - exact) / np.linalg.norm(exact)
            allowed = 1.5 * off("--device", "cpu")
            for chunk in (1, 16, 64, 512):
                self.assertLess(off("--device", "gpu", "--chunk", chunk), allowed, f"{pooling}, chunk {chunk}")

    def test_llama_cpp_gives_the_same_mean(self):
        for name in GOLDEN_NAMES:
            with self.subTest(model=name):
                model, ids = self.as_gguf(name), Golden(name).ids[:WINDOW_IGNORED.get(name)]
                with Llama(model, embeddings=True) as peer:
                    theirs = peer.mean_embedding(ids)
                self.assertLess(np.abs(self.embed(model, ids, "mean", "--device", "cpu") - theirs).max(), PEER_BOUND)

    def test_vectors_have_length_one_unless_told_otherwise(self):
        golden = Golden("llama32-tied")
        raw = self.embed(golden.path, golden.ids, "mean", "--device", "cpu")
        unit = tern_json("embed", golden.path, "--tokens", comma(golden.ids), "--json", "--device", "cpu",
                         "--kv", "f32", "--activations", "f32")
        self.assertTrue(unit["normalized"])
        self.assertGreater(abs(np.linalg.norm(raw) - 1), 0.1)
        np.testing.assert_allclose(unit["embeddings"][0], raw / np.linalg.norm(raw), rtol=1e-5, atol=1e-7)


@unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
class EmbedTextTest(unittest.TestCase):
    TEXTS = ["A cat sat on the mat.", "What is 2 + 3?", "Grüße, 世界!"]

    def test_texts_side_by_side_are_those_alone(self):
        together = tern_json("embed", DEMO, *[word for text in self.TEXTS for word in ("-p", text)], "--json")
        self.assertEqual(len(together["embeddings"]), 3)
        for text, vector, n in zip(self.TEXTS, together["embeddings"], together["prompt_tokens"]):
            alone = tern_json("embed", DEMO, "-p", text, "--json")
            self.assertEqual(alone["embeddings"], [vector])
            ids = tern_ok("tokenize", DEMO, "--bos", stdin=text).decode().strip()
            self.assertEqual(len(ids.split(",")), n)
            self.assertEqual(tern_json("embed", DEMO, "--tokens", ids, "--json")["embeddings"], [vector])

    def test_plain_output_is_a_line_of_numbers_a_text(self):
        lines = tern_ok("embed", DEMO, "--lines", stdin="\n".join(self.TEXTS) + "\n").decode().splitlines()
        expected = tern_json("embed", DEMO, *[word for text in self.TEXTS for word in ("-p", text)], "--json")
        self.assertEqual([[np.float32(x) for x in line.split()] for line in lines],
                         [[np.float32(x) for x in vector] for vector in expected["embeddings"]])
        whole = tern_json("embed", DEMO, "--json", stdin="\n".join(self.TEXTS))
        self.assertEqual(len(whole["embeddings"]), 1)

    def test_bad_input(self):
        for args, stdin, word in ((["-p", "x", "--pooling", "max"], b"", "pooling"),
                                  (["--tokens", "99999"], b"", "99999"),
                                  (["--lines"], b"", "no lines"),
                                  (["-p", "x", "--lines"], b"", "--lines"),
                                  (["-p", "word " * 500, "--context", "64"], b"", "context holds 64")):
            done = tern("embed", DEMO, *args, stdin=stdin)
            self.assertEqual((done.returncode, done.stdout), (2, b""), args)
            self.assertIn(word, done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
