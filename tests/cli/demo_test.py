"""What docs/demo-model.md promises of the file that ships."""
import json
import sys
import unittest

import gguf

from support import DEMO, ROOT, tern_json

sys.path.insert(0, str(ROOT / "tools" / "demo_model"))
import corpus  # noqa: E402: what a right answer is, by the generators that wrote the prompts

HELD_OUT = ROOT / "tests" / "data" / "demo" / "heldout.jsonl"


@unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
class DemoModelTest(unittest.TestCase):
    def test_held_out_answers(self):
        right, wrong = {}, []
        for line in HELD_OUT.read_text().splitlines():
            row = json.loads(line)
            messages = json.dumps(row["messages"])
            answer = tern_json("run", DEMO, "--messages", messages, "--greedy", "-n", 160, "--json", "--device", "cpu")
            good = corpus.correct(row, answer["text"])
            right.setdefault(row["family"], []).append(good)
            if not good:
                wrong.append((row["messages"][-1]["content"], answer["text"]))
        self.assertEqual(len(right), 10)
        self.assertEqual(sum(map(len, right.values())), 400)
        for family, answers in right.items():
            self.assertGreaterEqual(sum(answers) / len(answers), 0.9, f"{family}: {wrong}")

    def test_size_and_shape(self):
        self.assertLessEqual(DEMO.stat().st_size, 16_000_000)
        reader = gguf.GGUFReader(DEMO)
        self.assertEqual(reader.get_field("general.architecture").contents(), "llama")
        heads = [reader.get_field(f"llama.attention.head_count{kv}").contents() for kv in ("", "_kv")]
        self.assertGreater(heads[0], heads[1])
        matrices = [t for t in reader.tensors if len(t.shape) == 2]
        self.assertTrue(12e6 <= sum(t.n_elements for t in matrices) <= 15e6)
        for tensor in matrices:
            self.assertEqual(tensor.tensor_type, gguf.GGMLQuantizationType.Q8_0, tensor.name)
            self.assertFalse(any(n % 256 for n in tensor.shape), tensor.name)  # so that K-quants apply


if __name__ == "__main__":
    unittest.main()
