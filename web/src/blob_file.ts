// A Blob (a dropped file, a download that could not be stored), read synchronously, which only workers may, or as a
// stream. A synchronous read makes a buffer of its own each time, whose garbage grew to 300 MB for a model of 3 GB.
import { asTernError, TernError } from "./errors.js";
import { RangedFile, readInto } from "./ranged_file.js";
import type { File } from "./wasi.js";

interface SyncReader {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}
declare const FileReaderSync: new () => SyncReader; // in workers only, so not in TypeScript's DOM types

export class BlobFile implements File {
  readonly size: number;
  #blob: Blob;
  #reader = new FileReaderSync();

  constructor(blob: Blob) {
    this.#blob = blob;
    this.size = blob.size;
  }

  read(offset: number, out: Uint8Array): number {
    const bytes = new Uint8Array(this.#reader.readAsArrayBuffer(this.#blob.slice(offset, offset + out.length)));
    out.set(bytes);
    return bytes.length;
  }

  close(): void {
    // nothing is held
  }
}

export class StreamedBlob extends RangedFile {
  #name: string;
  #blob: Blob;

  constructor(name: string, blob: Blob) {
    super(name, blob.size);
    this.#name = name;
    this.#blob = blob;
  }

  protected override async fetch(at: number, n: number, room: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await readInto(this.#blob.slice(at, at + n), room, n).catch((error: unknown) => {
      const { message } = asTernError(error, "storage");
      throw new TernError("storage", `${this.#name} cannot be read: ${message}`, { cause: error });
    });
    if (bytes.length === n) return bytes;
    throw new TernError("storage", `${this.#name} ended at byte ${at + bytes.length} of ${this.size}. Was it changed?`);
  }
}
