"""What the tests of the command line share: running tern, the reference models, and llama.cpp as a peer."""
import ctypes
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
TERN = os.environ.get("TERN", str(ROOT / "build" / "tern"))
GOLDEN = ROOT / "tests" / "data" / "golden"
HELD_OUT_TEXT = ROOT / "tests" / "data" / "demo" / "heldout.txt"
DEMO = pathlib.Path(os.environ.get("TERN_DEMO_MODEL", ROOT / "models" / "tern-demo-q8_0.gguf"))

GOLDEN_NAMES = sorted(p.name for p in GOLDEN.iterdir())
TIMEOUT_S = 120


def tern(*args, stdin=b"", env=None):
    """Runs tern to its end. stdin: bytes or text."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return subprocess.run([TERN, *map(str, args)], input=data, capture_output=True, timeout=TIMEOUT_S,
                          env={**os.environ, **(env or {})})


def tern_ok(*args, stdin=b""):
    """Runs tern, which must succeed; gives its stdout."""
    done = tern(*args, stdin=stdin)
    if done.returncode != 0:
        raise AssertionError(f"tern {' '.join(map(str, args))} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout


def tern_json(*args, stdin=b""):
    """Runs tern, whose stdout must be one JSON value and nothing else."""
    return json.loads(tern_ok(*args, stdin=stdin))


def comma(ids):
    return ",".join(map(str, ids))


@functools.cache
def has_gpu():
    found = tern("info", "--devices").returncode == 0
    if not found:
        note("--device gpu skipped because there is no adapter")
    return found


class FolderTest(unittest.TestCase):
    """Tests that share a folder, `out`, and the models in it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = pathlib.Path(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def tiny_model(cls):
        """Random weights in q4_0, without a tokenizer."""
        path = cls.out / "tiny.gguf"
        tern_ok("synth", "tiny", "--format", "q4_0", "-o", path)
        return path

    def as_gguf(self, name):
        """A reference model in f32."""
        path = self.out / f"{name}.gguf"
        if not path.exists():
            tern_ok("convert", Golden(name).path, "-o", path, "--format", "f32")
        return path


class Golden:
    """A tiny random model: its prompt, the next 32 greedy tokens and logits [48, vocab] by PyTorch in f64."""

    def __init__(self, name):
        self.path = GOLDEN / name
        # PyTorch's run of gemma2 lacks the cap on attention scores; tests/models/gemma2_reference.py says why.
        kind = "softcap" if (self.path / "softcap.json").exists() else "golden"
        golden = json.loads((self.path / f"{kind}.json").read_text())
        self.ids, self.greedy = golden["ids"], golden["greedy"]
        self.logits = np.load(self.path / f"{kind}_logits.npy")


# --- llama.cpp -------------------------------------------------------------------------------------------------------

def _log_sink():
    import llama_cpp
    messages = []

    @llama_cpp.llama_log_callback
    def keep(level, text, _):
        messages.append(text.decode(errors="replace"))

    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    return messages, keep


class Llama:
    """A GGUF in llama.cpp, through its C functions: they need no vocabulary, and the KV cache can be f32."""

    messages, _keep = None, None

    def __init__(self, path, n_ctx=256, embeddings=False):
        import llama_cpp as lc
        if Llama.messages is None:
            Llama.messages, Llama._keep = _log_sink()
            lc.llama_backend_init()
        self.lc = lc
        self.model = self.context = None
        del Llama.messages[:]
        model_params = lc.llama_model_default_params()
        model_params.n_gpu_layers = 0
        model_params.use_extra_bufts = False  # they would requantise weights in memory
        self.model = lc.llama_model_load_from_file(str(path).encode(), model_params)
        if not self.model:
            raise ValueError("".join(Llama.messages).strip().splitlines()[-1])
        params = lc.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = n_ctx
        params.n_threads = params.n_threads_batch = 2
        params.type_k = params.type_v = lc.GGML_TYPE_F32  # the smallest margins between tokens are below f16's steps
        params.flash_attn_type = lc.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if embeddings:
            params.embeddings = True
            params.pooling_type = lc.LLAMA_POOLING_TYPE_MEAN
        self.context = lc.llama_init_from_model(self.model, params)
        if not self.context:
            raise ValueError("".join(Llama.messages).strip().splitlines()[-1])
        self.vocab = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(self.model))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.context:
            self.lc.llama_free(self.context)
        if self.model:
            self.lc.llama_model_free(self.model)

    def reset(self):
        self.lc.llama_memory_clear(self.lc.llama_get_memory(self.context), True)

    def decode(self, ids, start=0):
        lc = self.lc
        batch = lc.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, start + i, 1, 0
            batch.logits[i] = True
        status = lc.llama_decode(self.context, batch)
        lc.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode returned {status}")

    def mean_embedding(self, ids):
        """[d_model], of a context made for embeddings."""
        self.decode(ids)
        n = self.lc.llama_model_n_embd(self.model)
        return np.ctypeslib.as_array(self.lc.llama_get_embeddings_seq(self.context, 0), (n,)).copy()

    def logits(self, ids, start=0):
        """[len(ids), vocab] for ids at positions start, start + 1, ..."""
        lc = self.lc
        self.decode(ids, start)
        rows = [np.ctypeslib.as_array(lc.llama_get_logits_ith(self.context, i), (self.vocab,)).copy()
                for i in range(len(ids))]
        return np.stack(rows)

    def greedy(self, ids, n):
        """The n likeliest tokens after ids, one after the other."""
        out, row, at = [], self.logits(ids)[-1], len(ids)
        while len(out) < n:
            out.append(int(row.argmax()))
            row = self.logits([out[-1]], at)[-1]
            at += 1
        return out


def note(text):
    """For what a test leaves out and why; scripts/test shows lines with "skipped because"."""
    print(text, file=sys.stderr)
