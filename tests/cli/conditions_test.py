"""Bad conditions: a file that is cut off or written to while it is used, little memory, one core, no vector unit."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from support import DEMO, TERN, Golden, comma, tern, tern_json, tern_ok


class ConditionsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.folder.name)
        cls.model = cls.dir / "tiny.gguf"
        tern_ok("synth", "tiny", "--format", "f32", "-o", cls.model)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_here(self, *options, **keywords):
        return tern_json("run", self.model, "--tokens", "1,2,3", "--greedy", "-n", 8, "--json", *options, **keywords)


class FileTest(ConditionsTest):
    def while_answering(self, change):
        """Calls change(path) once text streams from a model that ref uses in place; gives the ended process."""
        path = self.dir / "victim.gguf"
        shutil.copy(DEMO, path)
        process = subprocess.Popen(
            [TERN, "run", path, "-p", "Once", "--greedy", "--ignore-eos", "-n", "60", "--device", "ref"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)
        change(path)
        out, err = process.communicate(timeout=100)
        return process.returncode, err.decode()

    @unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
    def test_truncated_while_mapped(self):
        code, err = self.while_answering(lambda path: os.truncate(path, 4096))
        self.assertEqual(code, 2, err)
        self.assertIn("victim.gguf became shorter than the", err)
        self.assertEqual(len(err.strip().splitlines()), 1, err)

    @unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
    def test_written_to_while_mapped(self):
        def overwrite(path):
            with open(path, "r+b") as file:
                file.seek(-1000, os.SEEK_END)
                file.write(b"\0")
        code, err = self.while_answering(overwrite)
        self.assertEqual(code, 2, err)
        self.assertIn("victim.gguf was changed while it was in use", err)

    @unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
    def test_replaced_by_another_file_of_its_name(self):
        def replace(path):
            (self.dir / "new.gguf").write_bytes(b"other")
            os.replace(self.dir / "new.gguf", path)
        code, err = self.while_answering(replace)
        self.assertEqual((code, err), (0, ""))

    def test_other_bus_errors_stay_crashes(self):
        process = subprocess.Popen([TERN, "tokenize", DEMO], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.3)
        process.send_signal(signal.SIGBUS)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, -signal.SIGBUS)


class MemoryLimitTest(ConditionsTest):
    # On the cpu by name: looking for a GPU maps its drivers, which the estimate does not count.
    def need(self, *options):
        done = tern("run", self.model, "--tokens", "1", "-n", 1, "--device", "cpu",
                    "--memory-limit", 1, *options)
        self.assertEqual(done.returncode, 2, done)
        return int(re.search(r"needs [\d.]+ MB of memory \((\d+) bytes", done.stderr.decode()).group(1))

    def test_just_fits_and_just_misses(self):
        need = self.need()
        answer = self.run_here("--device", "cpu", "--memory-limit", need)
        self.assertEqual(answer["tokens"], self.run_here()["tokens"])
        self.assertLessEqual(answer["peak_rss_bytes"], need)
        done = tern("run", self.model, "--tokens", "1", "-n", 1, "--device", "cpu",
                    "--memory-limit", need - 1)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        for words in (f"{need} bytes", f"--memory-limit is {need - 1} bytes", "--context", "before loading tiny.gguf"):
            self.assertIn(words, done.stderr.decode())

    def test_what_the_message_advises_helps(self):
        self.assertLess(self.need("--context", 256), self.need("--context", 1024))
        self.assertLess(self.need("--kv", "q8_0"), self.need("--kv", "f16"))
        self.assertLess(self.need("--chunk", 16), self.need("--chunk", 512))

    @unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
    def test_a_real_model_stays_within_what_it_asked_for(self):
        done = tern("run", DEMO, "-p", "Once", "--device", "cpu", "--memory-limit", "1K")
        need = int(re.search(r"\((\d+) bytes", done.stderr.decode()).group(1))
        prompt = "Once upon a time there was a house. " * 100
        answer = tern_json("run", DEMO, "-p", prompt, "--greedy", "-n", 20, "--ignore-eos", "--json",
                           "--device", "cpu", "--memory-limit", need)
        self.assertGreater(answer["prompt_tokens"], 512)
        self.assertLessEqual(answer["peak_rss_bytes"], need)

    def test_every_command_that_loads(self):
        text = self.dir / "text.txt"
        text.write_text("Some text to measure.")
        for command in (["run", self.model, "--tokens", "1"], ["bench", self.model],
                        ["logits", self.model, "--tokens", "1", "--out", self.dir / "l.npy"]):
            done = tern(*command, "--memory-limit", "1M")
            self.assertEqual(done.returncode, 2, command)
            self.assertIn("--memory-limit is 1048576 bytes", done.stderr.decode())
        if DEMO.exists():
            for command in (["chat", DEMO], ["perplexity", DEMO, text]):
                done = tern(*command, "--memory-limit", "1M")
                self.assertEqual(done.returncode, 2, command)
                self.assertIn("--memory-limit is 1048576 bytes", done.stderr.decode())

    def test_units(self):
        for text in ("4G", "4096M", "4096MiB", str(4 << 30), "none"):
            self.run_here("--memory-limit", text)
        for text in ("0", "-1", "2X", "G", "99999999T", "1.5G"):
            done = tern("run", self.model, "--tokens", "1", "--memory-limit", text)
            self.assertEqual(done.returncode, 2, text)
            self.assertIn("--memory-limit", done.stderr.decode())


class WeightCacheTest(ConditionsTest):
    """On instruction sets without panels there is nothing to cache: then these only see that nothing is harmed."""

    def setUp(self):
        self.cache = self.dir / self.id() / "cache"
        self.packed = self.dir / "packed.gguf"
        if not self.packed.exists():
            tern_ok("synth", "tiny", "--format", "q4_0", "-o", self.packed)
        self.expected = self.run_packed()[0]

    def run_packed(self, *options):
        done = tern("run", self.packed, "--tokens", "1,2,3", "--greedy", "-n", 8, "--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["tokens"], done.stderr.decode()

    def files(self):
        return sorted(self.cache.glob("*")) if self.cache.exists() else []

    def test_made_once_and_used(self):
        for _ in range(2):
            self.assertEqual(self.run_packed("--weight-cache", self.cache), (self.expected, ""))
            self.assertLessEqual(len(self.files()), 1)
        for file in self.files():
            before = file.stat().st_mtime_ns
            self.run_packed("--weight-cache", self.cache)
            self.assertEqual(file.stat().st_mtime_ns, before)

    def test_cut_off_or_foreign_is_made_anew(self):
        self.run_packed("--weight-cache", self.cache)
        for file in self.files():
            good = file.read_bytes()
            for bad in (good[:-4096], good[:100], b"", b"x" * len(good), good[:8] + b"\xff" + good[9:]):
                file.write_bytes(bad)
                self.assertEqual(self.run_packed("--weight-cache", self.cache), (self.expected, ""))
                self.assertEqual(file.read_bytes(), good)

    def test_another_model_of_the_same_name_has_its_own(self):
        self.run_packed("--weight-cache", self.cache)
        first = self.files()
        tern_ok("synth", "tiny", "--format", "q4_0", "--seed", 5, "-o", self.packed)
        try:
            other = self.run_packed()[0]
            self.assertEqual(self.run_packed("--weight-cache", self.cache), (other, ""))
            self.assertEqual(len(self.files()), 2 * len(first))
        finally:
            self.packed.unlink()

    def test_a_folder_that_cannot_be_written_is_one_warning(self):
        self.run_packed("--weight-cache", self.cache)
        something_to_cache = bool(self.files())
        blocked = self.dir / "a file"  # a folder without write permission does not stop root
        blocked.write_text("")
        tokens, err = self.run_packed("--weight-cache", blocked / "below")
        self.assertEqual(tokens, self.expected)
        self.assertEqual(len(err.splitlines()), int(something_to_cache), err)
        if something_to_cache:
            self.assertIn("going on without a weight cache", err)


class MachineTest(ConditionsTest):
    def test_one_core_and_more_threads_than_cores(self):
        expected = self.run_here("--threads", 2)["tokens"]
        one = lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        for options in ([], ["--threads", "3"]):
            command = [TERN, "run", self.model, "--tokens", "1,2,3", "--greedy", "-n", "8", "--json", *options]
            done = subprocess.run(command, capture_output=True, timeout=60, preexec_fn=one)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(str(expected).replace(" ", "").encode(), done.stdout.replace(b" ", b""))
        self.assertEqual(self.run_here("--threads", 3)["tokens"], expected)

    def test_without_vector_instructions(self):
        golden = Golden("llama31-gqa-ropescale")
        answer = tern_json("run", golden.path, "--tokens", comma(golden.ids), "--greedy", "-n", 8, "--json",
                           "--isa", "scalar", "--kv", "f32")
        self.assertEqual(answer["tokens"], golden.greedy[:8])
        self.assertIn("scalar", tern("run", golden.path, "--tokens", "1", "--isa", "sse9").stderr.decode())


if __name__ == "__main__":
    unittest.main()
