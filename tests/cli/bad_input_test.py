"""What people really pass: pages instead of models, half a download, a typo. Exit code 2 and one line that helps."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

from support import DEMO, GOLDEN, TERN, tern, tern_ok


class BadInputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.folder.name)
        cls.good = cls.dir / "good.gguf"
        tern_ok("synth", "tiny", "--format", "q8_0", "-o", cls.good)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def write(self, name, data):
        path = self.dir / name
        path.write_bytes(data)
        return path

    def refused(self, *args, words=(), stdin=b""):
        done = tern(*args, stdin=stdin)
        message = done.stderr.decode()
        self.assertEqual(done.returncode, 2, f"{args}: {message}")
        self.assertEqual(done.stdout, b"", args)
        lines = message.splitlines()
        self.assertEqual(len(lines), 1, message)
        self.assertTrue(lines[0].startswith("tern: "), message)
        for word in words:
            self.assertIn(word, lines[0])
        return lines[0]

    def bad_model(self, path, *words):
        """No command takes it for a model."""
        self.refused("run", path, "--tokens", "1", "--json", words=words)
        self.refused("info", path, words=words)
        self.refused("logits", path, "--tokens", "1", "--out", self.dir / "x.npy", words=words)
        self.refused("convert", path, "-o", self.dir / "x.gguf", words=words)
        self.refused("tokenize", path, words=words)
        self.refused("chat", path, words=words)
        self.refused("bench", path, words=words)
        self.assertFalse((self.dir / "x.npy").exists())
        self.assertFalse((self.dir / "x.gguf").exists())

    def test_wrong_magic(self):
        self.bad_model(self.write("magic.gguf", b"GGML" + self.good.read_bytes()[4:]), "magic.gguf")

    def test_a_web_page(self):
        self.bad_model(self.write("page.gguf", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"), "web page")

    def test_a_git_lfs_pointer(self):
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
        self.bad_model(self.write("pointer.gguf", pointer), "lfs")

    def test_half_a_download(self):
        data = self.good.read_bytes()
        for part in (len(data) - 1, len(data) // 2, 1000, 30, 5):
            self.bad_model(self.write("half.gguf", data[:part]), "half.gguf")

    def test_an_empty_file(self):
        self.bad_model(self.write("empty.gguf", b""), "empty")

    def test_a_file_that_is_not_there(self):
        self.bad_model(self.dir / "nowhere.gguf", "nowhere.gguf")

    def test_a_folder_without_a_model(self):
        (self.dir / "folder").mkdir(exist_ok=True)
        self.bad_model(self.dir / "folder", "config.json")

    def test_a_future_version(self):
        data = self.good.read_bytes()
        for version in (0, 1, 4, 0x03000000):
            self.bad_model(self.write("version.gguf", data[:4] + struct.pack("<I", version) + data[8:]), "ersion")

    def hugging_face(self, name, change):
        path = self.dir / name
        shutil.copytree(GOLDEN / "llama32-tied", path, dirs_exist_ok=True)
        config = json.loads((path / "config.json").read_text())
        change(config)
        (path / "config.json").write_text(json.dumps(config))
        return path

    def test_a_config_that_makes_no_sense(self):
        for field, value in (("num_attention_heads", 0), ("num_key_value_heads", 3), ("num_hidden_layers", 3),
                             ("hidden_size", 65), ("vocab_size", 2**31), ("model_type", "dinosaur")):
            with self.subTest(field=field):
                path = self.hugging_face("config", lambda config: config.__setitem__(field, value))
                self.refused("run", path, "--tokens", "1", "--json")

    def test_safetensors_cut_off(self):
        path = self.hugging_face("cut", lambda config: None)
        weights = (path / "model.safetensors").read_bytes()
        for part in (len(weights) - 1, 100, 8, 3):
            (path / "model.safetensors").write_bytes(weights[:part])
            self.refused("run", path, "--tokens", "1", "--json", words=["model.safetensors"])

    def test_commands_and_options_that_do_not_exist(self):
        self.refused("chta", words=["chta", "did you mean chat?"])
        self.refused("frobnicate", words=["There is no command frobnicate"])
        self.refused("run", self.good, "--greddy", words=["--greddy", "did you mean --greedy?", "tern run --help"])
        self.refused("run", self.good, "--max-token=3", words=["did you mean --max-tokens?"])
        self.refused("--verbos", words=["tern has no option --verbos"])
        self.refused("info", self.good, "more", words=['"more"'])
        self.refused("run", words=["MODEL"])
        self.refused("convert", self.good, words=["--out"])

    def test_values_that_do_not_work(self):
        for option, value in (("-n", "many"), ("--device", "npu"), ("--threads", "-1"), ("--kv", "f33"),
                              ("--chunk", "0"), ("--temperature", "-1"), ("--top-p", "2"), ("--logit-bias", "13"),
                              ("--seed", "x"), ("--seed", "-1"), ("--seed", "18446744073709551616"),
                              ("--isa", "sse9"), ("--stop-token", "-4"), ("--context", "1e3")):
            with self.subTest(option=option):
                self.refused("run", self.good, "--tokens", "1", "--json", option, value, words=[value])
        self.refused("run", self.good, "--tokens", "1", "-n", words=["--max-tokens needs a value"])
        self.refused("run", self.good, "--tokens", "1", "-n", "1", "-n", "2", words=["--max-tokens is given more than"])

    def test_token_lists(self):
        self.refused("run", self.good, "--tokens", "1,two", "--json", words=['"two"'])
        self.refused("run", self.good, "--tokens", ",", "--json")
        self.refused("run", self.good, "--tokens", "1,-2", "--json", words=["-2"])
        self.refused("run", self.good, "--tokens", "512", "--json", words=["512", "511"])  # the vocabulary's end
        self.refused("run", self.good, "--tokens", "99999999999999", "--json")
        self.refused("run", self.good, "--tokens", f"@{self.dir / 'no-list'}", "--json", words=["no-list"])
        self.refused("logits", self.good, "--tokens", "512", "--out", self.dir / "x.npy", words=["512"])

    def test_text_for_a_model_without_a_tokenizer(self):
        self.refused("run", self.good, "-p", "Hello", words=["tokenizer"])
        self.refused("tokenize", self.good, stdin="Hello", words=["tokenizer"])
        self.refused("chat", self.good, stdin="Hello", words=["tokenizer"])
        self.refused("perplexity", self.good, self.good, words=["tokenizer"])

    def test_formats_that_cannot_be_written(self):
        self.refused("convert", self.good, "-o", self.dir / "x.gguf", "--format", "q9_9", words=["q9_9", "q4_k"])
        self.refused("convert", self.good, "-o", self.dir / "x.gguf", "--format", "iq4_xs", words=["iq4_xs"])
        self.refused("synth", "tiny", "-o", self.dir / "x.gguf", "--format", "awq", words=["awq"])
        self.refused("synth", "llama-9", "-o", self.dir / "x.gguf", words=["llama-3-8b"])

    def test_a_prompt_longer_than_the_context(self):
        ids = ",".join(["1"] * 100)
        self.refused("run", self.good, "--tokens", ids, "--context", "64", "--json", words=["100", "64"])

    @unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
    def test_messages(self):
        for messages in ("[{]", "[]", "3", '[{"role": 3}]', '[{"content": "no role"}]'):
            self.refused("run", DEMO, "--messages", messages, "--json", words=["--messages"])
        self.refused("run", DEMO, "-p", "a", "--tokens", "1", words=["--tokens"])

    @unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
    def test_a_folder_as_standard_input(self):
        done = subprocess.run([TERN, "tokenize", DEMO], stdin=os.open(self.dir, os.O_RDONLY), capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"Standard input cannot be read: Is a directory", done.stderr)

    @unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
    def test_pieces_of_tokenizers_cannot_command_the_terminal(self):
        # Two tokens of the demo model become one and the same, with an escape sequence in it.
        data = DEMO.read_bytes()
        for piece in (b"Tuesday", b"January"):
            self.assertEqual(data.count(struct.pack("<Q", 7) + piece), 1)
            data = data.replace(struct.pack("<Q", 7) + piece, struct.pack("<Q", 7) + b"\x1b[31mX\n")
        message = self.refused("run", self.write("escape.gguf", data), "-p", "x", words=["are both", "\\x1b"])
        self.assertNotIn("\x1b", message)

    def test_names_from_files_cannot_command_the_terminal(self):
        tensor = b"\x1b[31mred\x07"
        header = json.dumps({"tensor": 0}).encode()
        data = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", len(tensor)) + tensor + struct.pack("<I", 9)
        message = self.refused("info", self.write("escape.gguf", data + header), words=["\\x1b"])
        self.assertNotIn("\x1b", message)

    def test_help_is_no_error(self):
        for args in (["--help"], ["run", "--help"], ["chat", "-h"], ["--version"]):
            done = tern(*args)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertTrue(done.stdout)


if __name__ == "__main__":
    unittest.main()
