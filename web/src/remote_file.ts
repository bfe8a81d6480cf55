// A file on a server read in ranges, for when nothing may be stored: what is read goes to the GPU and is forgotten. The
// engine reads synchronously, which in a worker XMLHttpRequest can do.
import { TernError } from "./errors.js";
import type { Remote } from "./http.js";
import type { File } from "./wasi.js";

// Bytes at least that are asked for at once: headers are read in small pieces, one after the other; small tensors here
// and there.
const kAhead = 1 << 20;
const kAround = 1 << 16;

export class RemoteFile implements File {
  readonly size: number;
  #url: string;
  #block = new Uint8Array(); // the last that was read
  #at = 0; // where it begins

  /// Precondition: remote.ranges.
  constructor(remote: Remote) {
    this.#url = remote.url;
    this.size = remote.bytes ?? 0;
  }

  read(offset: number, out: Uint8Array): number {
    const n = Math.max(0, Math.min(out.length, this.size - offset));
    if (n === 0) return 0;
    if (offset < this.#at || offset + n > this.#at + this.#block.length) {
      const follows = offset === this.#at + this.#block.length || offset === 0;
      this.#block = this.#fetch(offset, Math.min(Math.max(n, follows ? kAhead : kAround), this.size - offset));
      this.#at = offset;
    }
    out.set(this.#block.subarray(offset - this.#at, offset - this.#at + n));
    return n;
  }

  close(): void {
    this.#block = new Uint8Array();
  }

  #fetch(offset: number, bytes: number): Uint8Array<ArrayBuffer> {
    const request = new XMLHttpRequest();
    request.open("GET", this.#url, false);
    request.responseType = "arraybuffer";
    request.setRequestHeader("range", `bytes=${offset}-${offset + bytes - 1}`);
    request.send();
    const body = request.response as ArrayBuffer | null;
    if (request.status === 206 && body?.byteLength === bytes) return new Uint8Array(body);
    throw new TernError("incomplete", `${this.#url} could not be read at byte ${offset} (${request.status}).`);
  }
}
