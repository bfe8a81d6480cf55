// A download in the store, over a folder in memory that behaves as OPFS does, with its faults.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TernError } from "../src/errors.js";
import type { Remote } from "../src/http.js";
import { isQuotaError } from "../src/opfs.js";
import { PartFile } from "../src/part_file.js";

/// One file. Its handle is exclusive, as in OPFS: a second one is refused while the first is open.
class FakeFile {
  bytes = new Uint8Array();
  #open = false;
  #folder: FakeFolder;
  #name: string;

  constructor(folder: FakeFolder, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  getFile(): Promise<{ size: number }> {
    return Promise.resolve({ size: this.bytes.length });
  }

  move(name: string): Promise<void> {
    assert.ok(!this.#open, `${this.#name} is moved while it is open`);
    this.#folder.files.delete(this.#name);
    this.#folder.files.set(name, this);
    this.#name = name;
    return Promise.resolve();
  }

  createSyncAccessHandle(): Promise<unknown> {
    if (this.#open) return Promise.reject(new DOMException("It is open.", "NoModificationAllowedError"));
    this.#open = true;
    const check = () => assert.ok(this.#open, `${this.#name} is used after it was closed`);
    return Promise.resolve({
      read: (out: Uint8Array, { at }: { at: number }) => {
        check();
        const part = this.bytes.subarray(at, at + out.length);
        out.set(part);
        return part.length;
      },
      write: (bytes: Uint8Array, { at }: { at: number }) => {
        check();
        return this.#write(bytes, at);
      },
      getSize: () => this.bytes.length,
      truncate: (size: number) => (this.bytes = this.bytes.slice(0, size)),
      flush: check,
      close: () => (this.#open = false),
    });
  }

  /// At most folder.most bytes a call, nothing behind folder.room; what lies behind folder.losesFrom is said to be
  /// written and is not.
  #write(bytes: Uint8Array, at: number): number {
    const { most, room, losesFrom } = this.#folder;
    const n = Math.max(0, Math.min(bytes.length, most, room - at));
    const kept = Math.max(0, Math.min(n, losesFrom - at));
    const longer = new Uint8Array(Math.max(this.bytes.length, at + kept));
    longer.set(this.bytes);
    longer.set(bytes.subarray(0, kept), at);
    this.bytes = longer;
    return n;
  }
}

class FakeFolder {
  files = new Map<string, FakeFile>();
  most = Infinity;
  room = Infinity;
  losesFrom = Infinity;

  getFileHandle(name: string, { create = false } = {}): Promise<FakeFile> {
    const file = this.files.get(name) ?? (create ? new FakeFile(this, name) : null);
    if (file === null) return Promise.reject(new DOMException("There is none.", "NotFoundError"));
    this.files.set(name, file);
    return Promise.resolve(file);
  }

  removeEntry(name: string): Promise<void> {
    const there = this.files.delete(name);
    return there ? Promise.resolve() : Promise.reject(new DOMException("There is none.", "NotFoundError"));
  }

  names(): string[] {
    return [...this.files.keys()].sort();
  }
}

const kChunk = 100;
const kRemote: Remote = { url: "https://example.org/m.gguf", bytes: 250, ranges: true, tag: '"1"' };
const content = Uint8Array.from({ length: 250 }, (_, i) => i);

function openPart(folder: FakeFolder, remote = kRemote): Promise<PartFile> {
  return PartFile.open(folder as unknown as FileSystemDirectoryHandle, "m.gguf", remote, kChunk);
}

function fill(part: PartFile, chunks: number[]): void {
  for (const chunk of chunks) {
    part.write(chunk * kChunk, content.subarray(chunk * kChunk, (chunk + 1) * kChunk));
    part.finish(chunk);
  }
}

test("chunks in any order become the file, and nothing else is left", async () => {
  const folder = new FakeFolder();
  folder.most = 7; // a write takes less than it is given
  const part = await openPart(folder);
  fill(part, [2, 0, 1]);
  await part.commit(250);
  assert.deepEqual(folder.names(), ["m.gguf"]);
  assert.deepEqual(folder.files.get("m.gguf")?.bytes, content);
});

test("a download that was interrupted goes on; of another file on the server it begins anew", async () => {
  const folder = new FakeFolder();
  let part = await openPart(folder);
  fill(part, [2, 0]);
  part.close();
  part = await openPart(folder);
  assert.deepEqual([...part.done], [2, 0]);
  part.close();
  part = await openPart(folder, { ...kRemote, tag: '"2"' });
  assert.deepEqual([...part.done], []);
  assert.equal(folder.files.get("m.gguf.part")?.bytes.length, 0);
});

test("the log may end anywhere: what it says whole is kept, the rest comes again", async () => {
  const folder = new FakeFolder();
  const first = await openPart(folder);
  fill(first, [0, 1]);
  first.close();
  const file = folder.files.get("m.gguf.part") as FakeFile;
  const log = folder.files.get("m.gguf.log") as FakeFile;
  const [content, whole] = [file.bytes, log.bytes];
  for (let cut = 1; cut < whole.length; ++cut) {
    file.bytes = content;
    log.bytes = whole.slice(0, whole.length - cut);
    const part = await openPart(folder);
    assert.deepEqual([...part.done], cut <= 4 ? [0] : []);
    fill(part, [1]);
    part.close();
    const again = await openPart(folder);
    assert.ok(again.done.has(1), `after a log cut by ${cut} bytes`);
    again.close();
  }
});

test("a store that is full says so instead of being asked for ever", async () => {
  const folder = new FakeFolder();
  folder.room = 150;
  const part = await openPart(folder);
  fill(part, [0]);
  assert.throws(() => fill(part, [1]), isQuotaError);
  assert.deepEqual([...part.done], [0]);
});

test("a store that loses what it was given is found out, and leaves nothing", async () => {
  const folder = new FakeFolder();
  folder.losesFrom = 220;
  const part = await openPart(folder);
  fill(part, [0, 1, 2]);
  await assert.rejects(part.commit(250), (error: unknown) => {
    assert.ok(error instanceof TernError);
    assert.equal(error.code, "storage");
    assert.match(error.message, /220 of the 250 bytes/);
    return true;
  });
  assert.deepEqual(folder.names(), []);
});

test("chunks that the store lost since are fetched again", async () => {
  const folder = new FakeFolder();
  let part = await openPart(folder);
  fill(part, [0, 1, 2]);
  part.close();
  const file = folder.files.get("m.gguf.part") as FakeFile;
  file.bytes = file.bytes.slice(0, 210);
  part = await openPart(folder);
  assert.deepEqual([...part.done], [0, 1]);
});

test("closing twice is no mistake, and frees the handles once", async () => {
  const folder = new FakeFolder();
  const part = await openPart(folder);
  part.close();
  const other = await openPart(folder);
  part.close();
  fill(other, [0]);
  other.close();
});
