// A file on a server read in ranges, for when nothing may be stored: what is read goes to the device and is forgotten.
// The engine reads synchronously. While a model is loaded a read of what is not here fails, fill() fetches it, and the
// engine's step is tried again; later (a lost device) XMLHttpRequest reads, which may block in a worker, but whose
// answers pile up in memory (1.1 GB for a model of 3 GB, fill() 0.3 GB).
import { kDefaults, retrying } from "./download.js";
import { TernError } from "./errors.js";
import { checkRange, request, Transient } from "./http.js";
import type { Remote } from "./http.js";
import type { File } from "./wasi.js";

// Bytes at least that are asked for at once: the header is read in small pieces, one after the other; small tensors
// here and there.
const kAhead = 1 << 20;
const kAround = 1 << 16;

interface Block {
  at: number;
  bytes: Uint8Array;
}

export class RemoteFile implements File {
  readonly size: number;
  /// Reads of what is not here block. False: they throw, and fill() is to be called.
  blocking = false;
  #remote: Remote;
  #opening = true; // the header is read again and again, each time somewhat further
  #head: Block = { at: 0, bytes: new Uint8Array() }; // of the file, while it is opened
  #blocks: Block[] = []; // for the step that is tried, which may need several at once
  #missing: { at: number; bytes: number } | null = null;

  /// Precondition: remote.ranges.
  constructor(remote: Remote) {
    this.#remote = remote;
    this.size = remote.bytes ?? 0;
  }

  read(offset: number, out: Uint8Array): number {
    const n = Math.max(0, Math.min(out.length, this.size - offset));
    if (n === 0) return 0;
    const holds = ({ at, bytes }: Block) => offset >= at && offset + n <= at + bytes.length;
    let block = [this.#head, ...this.#blocks].find(holds);
    if (block === undefined) {
      const least = this.#isHead(offset) ? kAhead : kAround;
      const bytes = Math.min(Math.max(n, least), this.size - offset);
      if (!this.blocking) {
        this.#missing = { at: offset, bytes };
        throw new TernError("incomplete", `Byte ${offset} of ${this.#remote.url} is not here yet.`);
      }
      block = { at: offset, bytes: this.#fetchNow(offset, bytes) };
      this.#blocks = [block];
    }
    out.set(block.bytes.subarray(offset - block.at, offset - block.at + n));
    return n;
  }

  /// Fetches what the last read that failed wanted. False: none did.
  async fill(): Promise<boolean> {
    if (this.#missing === null) return false;
    const { at, bytes } = this.#missing;
    this.#missing = null;
    let body = new Uint8Array();
    await retrying({ ...kDefaults, signal: null }, async () => {
      body = await this.#fetch(at, bytes);
    });
    if (!this.#isHead(at)) {
      this.#blocks.push({ at, bytes: body });
      return true;
    }
    const head = this.#head.bytes;
    const longer = new Uint8Array(at + body.length);
    longer.set(head.subarray(0, at));
    longer.set(body, at);
    this.#head = { at: 0, bytes: longer };
    return true;
  }

  /// The step has what it wanted. The first one opens the file, and none reads its header again.
  forget(): void {
    if (this.#opening) this.#head.bytes = new Uint8Array();
    this.#opening = false;
    this.#blocks = this.#blocks.slice(-1);
  }

  close(): void {
    this.#head.bytes = new Uint8Array();
    this.#blocks = [];
  }

  #isHead(at: number): boolean {
    return this.#opening && at <= this.#head.bytes.length;
  }

  #fetchNow(at: number, bytes: number): Uint8Array {
    const request = new XMLHttpRequest();
    request.open("GET", this.#remote.url, false);
    request.responseType = "arraybuffer";
    request.setRequestHeader("range", `bytes=${at}-${at + bytes - 1}`);
    request.send();
    const body = new Uint8Array((request.response as ArrayBuffer | null) ?? new ArrayBuffer(0));
    if (request.status === 206 && body.length === bytes) return body;
    throw new TernError("incomplete", `${this.#remote.url} could not be read at byte ${at} (${request.status}).`);
  }

  async #fetch(at: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const { url } = this.#remote;
    const headers = { range: `bytes=${at}-${at + bytes - 1}` };
    const response = await request((address, init) => fetch(address, init), url, { headers });
    await checkRange(response, this.#remote, at);
    const body = await response.arrayBuffer().catch(() => {
      throw new Transient("incomplete", `The connection to ${url} broke.`);
    });
    if (body.byteLength === bytes) return new Uint8Array(body);
    throw new TernError("incomplete", `The server sends ${body.byteLength} bytes of ${url}, asked for are ${bytes}.`);
  }
}
