// PartFile: a download under way in the store. Beside <file>.part lies <file>.log, which grows by a number for every
// chunk that is whole, so that a page that is closed loses at most the chunks on their way.
//
//   log: u32 bytes of the header | header, JSON {bytes, tag, chunkBytes} | u32 chunk, u32 chunk, ...
import type { Target } from "./download.js";
import type { Remote } from "./http.js";
import { find } from "./opfs.js";
import type { FileHandle, SyncHandle } from "./opfs.js";
import { lost } from "./store.js";

export class PartFile implements Target {
  readonly done: Set<number>;
  #folder: FileSystemDirectoryHandle;
  #name: string;
  #part: SyncHandle;
  #log: SyncHandle;
  #open = true;

  private constructor(
    folder: FileSystemDirectoryHandle,
    name: string,
    part: SyncHandle,
    log: SyncHandle,
    done: Set<number>,
  ) {
    this.#folder = folder;
    this.#name = name;
    this.#part = part;
    this.#log = log;
    this.done = done;
  }

  /// Goes on with what is there, if it is of the same file on the server. Precondition: the model's lock is held.
  static async open(
    folder: FileSystemDirectoryHandle,
    name: string,
    { bytes, tag }: Remote,
    chunkBytes: number,
  ): Promise<PartFile> {
    const part = await openSync(folder, `${name}.part`);
    let log: SyncHandle | null = null;
    try {
      log = await openSync(folder, `${name}.log`);
      const header = JSON.stringify({ bytes, tag, chunkBytes });
      const endOf = (chunk: number) => Math.min((chunk + 1) * chunkBytes, bytes ?? Infinity);
      const done = readLog(log, header).filter((chunk) => endOf(chunk) <= part.getSize());
      if (done.length === 0) part.truncate(0);
      startLog(log, header, done);
      return new PartFile(folder, name, part, log, new Set(done));
    } catch (error) {
      part.close();
      log?.close();
      throw error;
    }
  }

  /// Throws QuotaExceededError when the store takes no more.
  write(offset: number, bytes: Uint8Array): void {
    writeAll(this.#part, offset, bytes);
  }

  finish(chunk: number): void {
    this.#part.flush(); // the log must not know of bytes that a crash would lose
    writeAll(this.#log, this.#log.getSize(), new Uint8Array(Uint32Array.of(chunk).buffer));
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

  /// Any number of times.
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#part.close(); // which flushes
    this.#log.close();
  }

  /// The file of `bytes` bytes is whole: it gets its name. Throws "storage" when the store lost a part of it, which is
  /// then no good: Chromium without a profile on the disk drops writes above 1.2 GB without a word.
  async commit(bytes: number): Promise<void> {
    this.close();
    const handle = (await this.#folder.getFileHandle(`${this.#name}.part`)) as FileHandle;
    const { size } = await handle.getFile();
    if (size !== bytes) {
      await this.discard();
      throw lost(this.#name, size, bytes);
    }
    await handle.move(this.#name);
    await this.#folder.removeEntry(`${this.#name}.log`);
  }

  /// The file is no good.
  async discard(): Promise<void> {
    this.close();
    for (const end of ["part", "log"]) await find(this.#folder.removeEntry(`${this.#name}.${end}`));
  }
}

function writeAll(handle: SyncHandle, offset: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const n = handle.write(bytes.subarray(done), { at: offset + done });
    if (n === 0) throw new DOMException("The browser's storage takes no more bytes.", "QuotaExceededError");
    done += n;
  }
}

async function openSync(folder: FileSystemDirectoryHandle, name: string): Promise<SyncHandle> {
  const handle = (await folder.getFileHandle(name, { create: true })) as FileHandle;
  return await handle.createSyncAccessHandle();
}

/// The chunks of a log that begins with `header`; of another one, none.
function readLog(log: SyncHandle, header: string): number[] {
  const bytes = new Uint8Array(log.getSize());
  log.read(bytes, { at: 0 });
  const view = new DataView(bytes.buffer);
  const expected = new TextEncoder().encode(header);
  const begin = 4 + expected.length;
  if (bytes.length < begin || view.getUint32(0, true) !== expected.length) return [];
  if (expected.some((byte, i) => bytes[4 + i] !== byte)) return [];
  const chunks: number[] = [];
  for (let at = begin; at + 4 <= bytes.length; at += 4) chunks.push(view.getUint32(at, true));
  return chunks;
}

/// Written anew: what a crash left at its end is gone.
function startLog(log: SyncHandle, header: string, done: number[]): void {
  const text = new TextEncoder().encode(header);
  const chunks = new Uint8Array(Uint32Array.from(done).buffer);
  log.truncate(0);
  writeAll(log, 0, new Uint8Array(Uint32Array.of(text.length).buffer));
  writeAll(log, 4, text);
  writeAll(log, 4 + text.length, chunks);
  log.flush();
}
