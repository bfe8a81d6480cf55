// A file on a server read in ranges, for when nothing may be stored: what is read goes to the device and is forgotten.
// The engine reads synchronously: a read of what is not here fails, fill() fetches it, and the engine's step is tried
// again. What the engine says that it will read next is on its way meanwhile.
import { kDefaults, retrying } from "./download.js";
import { TernError } from "./errors.js";
import { checkRange, request, Transient } from "./http.js";
import type { Remote } from "./http.js";
import type { File } from "./wasi.js";

// Bytes at least that are asked for at once: the header is read in small pieces, one after the other; small tensors
// here and there.
const kAhead = 1 << 20;
const kAround = 1 << 16;

/// Bytes that are fetched ahead and not read yet.
const kMostAhead = 24 << 20;
/// Buffers of blocks from this size on, in multiples of it, are used again; at most so many of them wait for that.
const kRoom = 1 << 20;
const kRooms = 8;

interface Block {
  at: number;
  size: number;
  bytes: Uint8Array<ArrayBuffer> | null; // null: on its way
  used: boolean;
  here: Promise<void>; // resolves in any case
}

export class RemoteFile implements File {
  readonly size: number;
  #remote: Remote;
  #opening = true; // the header is read again and again, each time somewhat further
  #head = new Uint8Array(); // of the file, while it is opened
  #blocks: Block[] = []; // for the step that is tried, which may need several at once, and for those to come
  #lastRead: Block | null = null;
  #rooms: ArrayBuffer[] = []; // of blocks that were read: garbage of this size is collected late
  #missing: { at: number; n: number; bytes: number } | null = null; // bytes: to be fetched, at least n

  /// Precondition: remote.ranges.
  constructor(remote: Remote) {
    this.#remote = remote;
    this.size = remote.bytes ?? 0;
  }

  /// Throws when it is not here: fill() is to be called.
  read(offset: number, out: Uint8Array): number {
    const n = Math.max(0, Math.min(out.length, this.size - offset));
    if (n === 0) return 0;
    if (offset + n <= this.#head.length) {
      out.set(this.#head.subarray(offset, offset + n));
      return n;
    }
    const block = this.#blockOf(offset, n);
    if (!block?.bytes) {
      const least = this.#isHead(offset) ? kAhead : kAround;
      this.#missing = { at: offset, n, bytes: Math.min(Math.max(n, least), this.size - offset) };
      throw new TernError("incomplete", `Byte ${offset} of ${this.#remote.url} is not here yet.`);
    }
    block.used = true;
    this.#lastRead = block;
    out.set(block.bytes.subarray(offset - block.at, offset - block.at + n));
    return n;
  }

  willNeed(offset: number, bytes: number): void {
    const size = Math.min(Math.max(bytes, kAround), this.size - offset);
    if (this.#opening || size < bytes || this.#blockOf(offset, bytes) !== undefined) return;
    const ahead = this.#blocks.reduce((sum, block) => sum + (block.used ? 0 : block.size), 0);
    if (ahead + size <= kMostAhead) this.#start(offset, size);
  }

  /// Fetches what the last read that failed wanted. False: none did.
  async fill(): Promise<boolean> {
    if (this.#missing === null) return false;
    const { at, n, bytes } = this.#missing;
    this.#missing = null;
    const coming = this.#blockOf(at, n);
    if (coming !== undefined) {
      await coming.here;
      if (coming.bytes !== null) return true;
    }
    let body = new Uint8Array();
    await retrying({ ...kDefaults, signal: null }, async () => {
      body = await this.#fetch(at, bytes);
    });
    if (this.#isHead(at)) {
      const longer = new Uint8Array(at + body.length);
      longer.set(this.#head.subarray(0, at));
      longer.set(body, at);
      this.#head = longer;
    } else {
      this.#blocks.push({ at, size: bytes, bytes: body, used: false, here: Promise.resolve() });
    }
    return true;
  }

  /// The step has what it wanted. The first one opens the file, and none reads its header again.
  forget(): void {
    if (this.#opening) this.#head = new Uint8Array();
    this.#opening = false;
    for (const block of this.#blocks) {
      if (!block.used || block === this.#lastRead) continue; // small tensors lie side by side in the last one
      const room = block.bytes?.buffer;
      if (room !== undefined && room.byteLength >= kRoom && this.#rooms.length < kRooms) this.#rooms.push(room);
    }
    this.#blocks = this.#blocks.filter((block) => !block.used || block === this.#lastRead);
  }

  close(): void {
    this.#head = new Uint8Array();
    this.#blocks = [];
    this.#lastRead = null;
    this.#rooms = [];
  }

  #isHead(at: number): boolean {
    return this.#opening && at <= this.#head.length;
  }

  #blockOf(offset: number, n: number): Block | undefined {
    return this.#blocks.find(({ at, size }) => offset >= at && offset + n <= at + size);
  }

  /// A block that does not come is forgotten, and fetched again when it is read.
  #start(at: number, size: number): void {
    const block: Block = { at, size, bytes: null, used: false, here: Promise.resolve() };
    block.here = this.#fetch(at, size).then(
      (bytes) => {
        block.bytes = bytes;
      },
      () => {
        this.#blocks = this.#blocks.filter((other) => other !== block);
      },
    );
    this.#blocks.push(block);
  }

  async #fetch(at: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const { url } = this.#remote;
    const headers = { range: `bytes=${at}-${at + bytes - 1}` };
    const response = await request((address, init) => fetch(address, init), url, { headers });
    await checkRange(response, this.#remote, at);
    const body = await readBody(response, this.#roomFor(bytes), bytes).catch(() => {
      throw new Transient("incomplete", `The connection to ${url} broke.`);
    });
    if (body.length === bytes) return body;
    throw new TernError("incomplete", `The server sends ${body.length} bytes of ${url}, asked for are ${bytes}.`);
  }

  #roomFor(bytes: number): ArrayBuffer {
    if (bytes < kRoom) return new ArrayBuffer(bytes);
    const found = this.#rooms.findIndex(({ byteLength }) => byteLength >= bytes);
    if (found >= 0) return this.#rooms.splice(found, 1)[0] as ArrayBuffer;
    return new ArrayBuffer(Math.ceil(bytes / kRoom) * kRoom);
  }
}

/// null where bodies cannot be read into buffers of one's own (Safari).
function intoOwn(body: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStreamBYOBReader | null {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return null;
  }
}

/// At most n bytes of an answer, in `room` if that is possible.
async function readBody(response: Response, room: ArrayBuffer, n: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = response.body && intoOwn(response.body);
  if (!reader) return new Uint8Array(await response.arrayBuffer());
  let buffer = room;
  let length = 0;
  for (let ended = false; !ended && length < n;) {
    const { done, value } = await reader.read(new Uint8Array(buffer, length, n - length));
    if (value !== undefined) buffer = value.buffer;
    length += value?.length ?? 0;
    ended = done;
  }
  void reader.cancel().catch(() => undefined); // what it would wait for is not wanted
  return new Uint8Array(buffer, 0, length);
}
