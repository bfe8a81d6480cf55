// Drives tern.wasm: the WASI calls it needs (clock, random, stderr) and strings in and out of its memory.
import { randomFillSync } from "node:crypto";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Tern {
  static async instantiate(bytes) {
    const tern = new Tern();
    const { instance } = await WebAssembly.instantiate(bytes, { wasi_snapshot_preview1: tern.#wasi() });
    tern.exports = instance.exports;
    tern.exports._initialize();
    return tern;
  }

  /** @param {Uint8Array} file a whole GGUF; returns {arch, vocab, device}. */
  load(file, context = 0) {
    const pointer = this.exports.tern_alloc(file.length);
    if (pointer === 0) throw new Error(`no memory for ${file.length} bytes`);
    this.#bytes().set(file, pointer);
    return this.#answer(this.exports.tern_load(pointer, file.length, context));
  }

  /** Runs one request to its end; returns {text, tokens, reason}. */
  complete(request) {
    const { id } = this.#withText(JSON.stringify(request), (p, n) => this.#answer(this.exports.tern_submit(p, n)));
    const out = { text: "", tokens: [], reason: null };
    while (out.reason === null) {
      for (const event of this.#answer(this.exports.tern_pump()).events) {
        if (event.id !== id) continue;
        if ("token" in event) out.tokens.push(event.token);
        if ("text" in event) out.text += event.text;
        if ("finished" in event) out.reason = event.finished;
      }
    }
    return out;
  }

  #bytes() {
    return new Uint8Array(this.exports.memory.buffer);
  }

  #withText(text, use) {
    const bytes = encoder.encode(text);
    const pointer = this.exports.tern_alloc(bytes.length);
    this.#bytes().set(bytes, pointer);
    try {
      return use(pointer, bytes.length);
    } finally {
      this.exports.tern_free(pointer);
    }
  }

  #answer(pointer) {
    const bytes = this.#bytes();
    const value = JSON.parse(decoder.decode(bytes.subarray(pointer, bytes.indexOf(0, pointer))));
    if (value.error) throw new Error(value.error);
    return value;
  }

  #wasi() {
    const view = () => new DataView(this.exports.memory.buffer);
    const unsupported = () => 52; // ENOSYS
    const calls = {
      clock_time_get: (_id, _precision, out) => {
        view().setBigUint64(out, BigInt(Math.round(performance.now() * 1e6)), true);
        return 0;
      },
      random_get: (pointer, length) => {
        randomFillSync(this.#bytes(), pointer, length);
        return 0;
      },
      fd_write: (fd, vectors, count, written) => {
        let total = 0;
        for (let i = 0; i < count; ++i) {
          const pointer = view().getUint32(vectors + 8 * i, true);
          const length = view().getUint32(vectors + 8 * i + 4, true);
          if (fd === 2) process.stderr.write(this.#bytes().slice(pointer, pointer + length));
          total += length;
        }
        view().setUint32(written, total, true);
        return 0;
      },
      environ_sizes_get: (count, size) => {
        view().setUint32(count, 0, true);
        view().setUint32(size, 0, true);
        return 0;
      },
      environ_get: () => 0,
      proc_exit: (code) => {
        throw new Error(`the module ended with code ${code}`);
      },
      fd_prestat_get: () => 8, // EBADF: no folders
    };
    return new Proxy(calls, { get: (target, name) => target[name] ?? unsupported });
  }
}
