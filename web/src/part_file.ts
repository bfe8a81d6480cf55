// PartFile: a download under way in the store. Beside <file>.part lies <file>.log, which grows by a number for every
// chunk that is whole, so that a page that is closed loses at most the chunks on their way.
//
//   log: u32 bytes of the header | header, JSON {bytes, tag, chunkBytes} | u32 chunk, u32 chunk, ...
import type { Target } from "./download.js";
import type { Remote } from "./http.js";
import { find } from "./opfs.js";
import type { FileHandle, SyncHandle } from "./opfs.js";

export class PartFile implements Target {
  readonly done: Set<number>;
  #folder: FileSystemDirectoryHandle;
  #name: string;
  #part: SyncHandle;
  #log: SyncHandle;

  private constructor(
    folder: FileSystemDirectoryHandle,
    name: string,
    part: SyncHandle,
    log: SyncHandle,
    header: string,
  ) {
    this.#folder = folder;
    this.#name = name;
    this.#part = part;
    this.#log = log;
    this.done = readLog(log, header);
    if (this.done.size > 0) return;
    this.#part.truncate(0);
    startLog(log, header);
  }

  /// Goes on with what is there, if it is of the same file on the server. Precondition: the model's lock is held.
  static async open(
    folder: FileSystemDirectoryHandle,
    name: string,
    { bytes, tag }: Remote,
    chunkBytes: number,
  ): Promise<PartFile> {
    const part = await openSync(folder, `${name}.part`);
    try {
      const log = await openSync(folder, `${name}.log`);
      return new PartFile(folder, name, part, log, JSON.stringify({ bytes, tag, chunkBytes }));
    } catch (error) {
      part.close();
      throw error;
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      done += this.#part.write(bytes.subarray(done), { at: offset + done });
    }
  }

  finish(chunk: number): void {
    this.#part.flush(); // the log must not know of bytes that a crash would lose
    this.#log.write(new Uint8Array(Uint32Array.of(chunk).buffer), { at: this.#log.getSize() });
    this.#log.flush();
    this.done.add(chunk);
  }

  /// Whatever comes before byte `bytes`, in order.
  *pieces(bytes: number): Generator<Uint8Array, void, void> {
    const buffer = new Uint8Array(4 << 20);
    for (let at = 0; at < bytes;) {
      const n = this.#part.read(buffer.subarray(0, Math.min(buffer.length, bytes - at)), { at });
      if (n === 0) return;
      at += n;
      yield buffer.subarray(0, n);
    }
  }

  close(): void {
    this.#part.flush();
    this.#part.close();
    this.#log.close();
  }

  /// The file is whole: it gets its name.
  async commit(): Promise<void> {
    this.close();
    const handle = (await this.#folder.getFileHandle(`${this.#name}.part`)) as FileHandle;
    await handle.move(this.#name);
    await this.#folder.removeEntry(`${this.#name}.log`);
  }

  /// The file is no good.
  async discard(): Promise<void> {
    this.close();
    for (const end of ["part", "log"]) await find(this.#folder.removeEntry(`${this.#name}.${end}`));
  }
}

async function openSync(folder: FileSystemDirectoryHandle, name: string): Promise<SyncHandle> {
  const handle = (await folder.getFileHandle(name, { create: true })) as FileHandle;
  return await handle.createSyncAccessHandle();
}

/// The chunks of a log that begins with `header`; of another one, none.
function readLog(log: SyncHandle, header: string): Set<number> {
  const bytes = new Uint8Array(log.getSize());
  log.read(bytes, { at: 0 });
  const view = new DataView(bytes.buffer);
  const expected = new TextEncoder().encode(header);
  const begin = 4 + expected.length;
  if (bytes.length < begin || view.getUint32(0, true) !== expected.length) return new Set();
  if (expected.some((byte, i) => bytes[4 + i] !== byte)) return new Set();
  const chunks = new Set<number>();
  for (let at = begin; at + 4 <= bytes.length; at += 4) chunks.add(view.getUint32(at, true));
  return chunks;
}

function startLog(log: SyncHandle, header: string): void {
  const text = new TextEncoder().encode(header);
  log.truncate(0);
  log.write(new Uint8Array(Uint32Array.of(text.length).buffer), { at: 0 });
  log.write(text, { at: 4 });
  log.flush();
}
