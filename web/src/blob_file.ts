// A Blob (a dropped file, a download that could not be stored) read synchronously, which only workers may.
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
