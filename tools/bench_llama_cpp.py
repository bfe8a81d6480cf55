"""One sample of llama.cpp, in a process of its own, through the C interface that llama-cpp-python (PyPI) carries.

    bench_llama_cpp.py MODEL THREADS prefill N | decode N DEPTH KV BATCH | start N

Prints one JSON object: tok_s (for start: seconds from loading to the first token), load_s, peak_rss_mb.
"""
import ctypes
import json
import resource
import sys
import time

import llama_cpp as lc

KV = {"f16": 1, "q8_0": 8}  # enum ggml_type


@lc.llama_log_callback
def silent(level, text, data):
    pass


class Context:
    def __init__(self, path, threads, positions, kv, sequences, flash):
        lc.llama_log_set(silent, ctypes.c_void_p(0))
        lc.llama_backend_init()
        self.model = lc.llama_model_load_from_file(path.encode(), lc.llama_model_default_params())
        params = lc.llama_context_default_params()
        params.n_ctx = sequences * (positions + 256) // 256 * 256  # shared by the sequences
        params.n_batch = params.n_ubatch = 512
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.type_k = params.type_v = KV[kv]
        params.flash_attn_type = int(flash)
        self.context = lc.llama_init_from_model(self.model, params)
        if not self.context:
            raise RuntimeError("llama.cpp made no context")
        self.vocab = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(self.model))

    def token(self, i):
        return 7 + i * 13 % (self.vocab - 8)

    def eval(self, entries):
        """entries: (token, position, sequence, wanted); one step."""
        batch = lc.llama_batch_init(len(entries), 0, 1)
        batch.n_tokens = len(entries)
        for i, (token, position, sequence, wanted) in enumerate(entries):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, position, 1, sequence
            batch.logits[i] = wanted
        status = lc.llama_decode(self.context, batch)
        if status == 0:
            lc.llama_get_logits(self.context)  # waits for the result
        lc.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode returned {status}")

    def prefill(self, n, sequence=0):
        for at in range(0, n, 512):
            end = min(n, at + 512)
            self.eval([(self.token(i), i, sequence, i == n - 1) for i in range(at, end)])


def main():
    path, threads, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    n = int(sys.argv[4])
    depth, kv, batch = (int(sys.argv[5]), sys.argv[6], int(sys.argv[7])) if what == "decode" else (n, "f16", 1)
    # Its faster setting for each work: flash attention helps its prompts and halves its decoding at a depth of 2000
    # on a CPU; a quantised V needs it.
    flash = what != "decode" or kv != "f16"
    start = time.perf_counter()
    context = Context(path, threads, depth + n + 8, kv, batch, flash)
    loaded = time.perf_counter()
    if what == "decode":
        for sequence in range(batch):
            context.prefill(max(1, depth), sequence)
        begin = time.perf_counter()
        for i in range(n):
            context.eval([(context.token(i + s), max(1, depth) + i, s, True) for s in range(batch)])
        rate = batch * n / (time.perf_counter() - begin)
    else:
        context.prefill(n)
        end = time.perf_counter()
        rate = end - start if what == "start" else n / (end - loaded)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"tok_s" if what != "start" else "seconds": rate, "load_s": loaded - start, "peak_rss_mb": peak}))


if __name__ == "__main__":
    main()
