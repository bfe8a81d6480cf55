// The part of WASI (snapshot preview 1) that tern.wasm calls: reading files, the clock, random bytes, messages. Files
// come from a FileSystem, whose reads are synchronous and ranged: node:fs in Node, OPFS handles in a worker, or memory.

export interface FileSystem {
  /// null when there is nothing of that name.
  stat(path: string): { directory: boolean; size: number } | null;
  list(path: string): string[];
  open(path: string): File;
  /// For files that are not all here: fetches what the last read that failed wanted. False: none did.
  fill?(): Promise<boolean>;
  /// What was tried has all that it wanted, and fill() may forget it.
  filled?(): void;
}

export interface File {
  readonly size: number;
  /// Reads to `out`; returns how many bytes there were.
  read(offset: number, out: Uint8Array): number;
  /// These bytes will be read soon, in one piece.
  willNeed?(offset: number, bytes: number): void;
  close(): void;
}

/// Files by absolute path, all in memory: for tests.
export function memoryFiles(files: Record<string, Uint8Array>): FileSystem {
  const children = (path: string): string[] => {
    const prefix = path.endsWith("/") ? path : `${path}/`;
    const names = Object.keys(files).filter((name) => name.startsWith(prefix));
    return [...new Set(names.map((name) => name.slice(prefix.length).split("/")[0] ?? ""))];
  };
  return {
    stat: (path) => {
      const bytes = files[path];
      if (bytes !== undefined) return { directory: false, size: bytes.length };
      return children(path).length > 0 ? { directory: true, size: 0 } : null;
    },
    list: children,
    open: (path) => {
      const bytes = files[path] ?? new Uint8Array();
      const read = (offset: number, out: Uint8Array): number => {
        const part = bytes.subarray(offset, offset + out.length);
        out.set(part);
        return part.length;
      };
      return { size: bytes.length, read, close: () => undefined };
    },
  };
}

const kSuccess = 0;
const kBadDescriptor = 8;
const kIo = 29;
const kNoEntry = 44;
const kNotSupported = 52;
const kRoot = 3; // the one preopened folder: "/"
const kDirectory = 3;
const kRegular = 4;
const kWillNeed = 3; // advice

interface Descriptor {
  path: string;
  file: File | null; // null: a folder
  position: number;
}

export class Wasi {
  #files: FileSystem;
  #log: (text: string) => void;
  #memory: WebAssembly.Memory | null = null;
  #open = new Map<number, Descriptor>([[kRoot, { path: "/", file: null, position: 0 }]]);
  #next = kRoot + 1;

  constructor(files: FileSystem, log: (text: string) => void) {
    this.#files = files;
    this.#log = log;
  }

  /// To be called with the instance's memory before anything of it runs.
  attach(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  /// What is not listed answers that it is not supported.
  imports(): WebAssembly.ModuleImports {
    const calls: Record<string, (...args: never[]) => number> = {
      clock_time_get: (_id: number, _precision: bigint, out: number) => {
        this.#view().setBigUint64(out, BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)), true);
        return kSuccess;
      },
      random_get: (at: number, size: number) => {
        for (let i = 0; i < size; i += 65536) {
          const bytes = new Uint8Array(Math.min(65536, size - i)); // shared memory is refused
          this.#bytes(at + i, bytes.length).set(crypto.getRandomValues(bytes));
        }
        return kSuccess;
      },
      environ_sizes_get: (count: number, size: number) => {
        this.#view().setUint32(count, 0, true);
        this.#view().setUint32(size, 0, true);
        return kSuccess;
      },
      environ_get: () => kSuccess,
      proc_exit: (code: number) => {
        throw new Error(`The engine ended with code ${code}.`);
      },
      ...this.#fileCalls(),
      ...this.#folderCalls(),
    };
    return new Proxy(calls, { get: (target, name) => target[name as string] ?? (() => kNotSupported) });
  }

  #fileCalls(): Record<string, (...args: never[]) => number> {
    return {
      fd_write: (fd: number, vectors: number, count: number, written: number) => {
        let text = "";
        const total = this.#eachVector(vectors, count, (bytes) => {
          text += new TextDecoder().decode(bytes.slice());
          return bytes.length;
        });
        if (fd === 1 || fd === 2) this.#log(text);
        this.#view().setUint32(written, total, true);
        return kSuccess;
      },
      fd_pread: (fd: number, vectors: number, count: number, offset: bigint, out: number) =>
        this.#read(fd, vectors, count, Number(offset), out),
      fd_read: (fd: number, vectors: number, count: number, out: number) => {
        const open = this.#open.get(fd);
        const status = this.#read(fd, vectors, count, open?.position ?? 0, out);
        if (open && status === kSuccess) open.position += this.#view().getUint32(out, true);
        return status;
      },
      fd_advise: (fd: number, offset: bigint, bytes: bigint, advice: number) => {
        if (advice === kWillNeed) this.#open.get(fd)?.file?.willNeed?.(Number(offset), Number(bytes));
        return kSuccess;
      },
      fd_close: (fd: number) => {
        this.#open.get(fd)?.file?.close();
        return this.#open.delete(fd) ? kSuccess : kBadDescriptor;
      },
      fd_fdstat_get: (fd: number, out: number) => {
        const open = this.#open.get(fd);
        if (!open) return kBadDescriptor;
        this.#bytes(out, 24).fill(0);
        this.#view().setUint8(out, open.file ? kRegular : kDirectory);
        this.#view().setBigUint64(out + 8, 0xffffffffn, true); // rights: all
        this.#view().setBigUint64(out + 16, 0xffffffffn, true);
        return kSuccess;
      },
      fd_filestat_get: (fd: number, out: number) => {
        const open = this.#open.get(fd);
        if (!open) return kBadDescriptor;
        return this.#putStat(out, { directory: open.file === null, size: open.file?.size ?? 0 });
      },
    };
  }

  #folderCalls(): Record<string, (...args: never[]) => number> {
    return {
      fd_prestat_get: (fd: number, out: number) => {
        if (fd !== kRoot) return kBadDescriptor;
        this.#view().setUint32(out, 0, true);
        this.#view().setUint32(out + 4, 1, true);
        return kSuccess;
      },
      fd_prestat_dir_name: (_fd: number, at: number) => {
        this.#bytes(at, 1).set([0x2f]); // "/"
        return kSuccess;
      },
      path_filestat_get: (fd: number, _flags: number, at: number, size: number, out: number) => {
        const stat = this.#files.stat(this.#path(fd, at, size));
        return stat === null ? kNoEntry : this.#putStat(out, stat);
      },
      path_open: (...args: [fd: number, _: number, at: number, size: number, ...flags: unknown[]]) => {
        const [fd, , at, size] = args;
        const out = args[8] as number; // behind flags and rights

        const path = this.#path(fd, at, size);
        const stat = this.#files.stat(path);
        if (stat === null) return kNoEntry;
        try {
          const file = stat.directory ? null : this.#files.open(path);
          this.#open.set(this.#next, { path, file, position: 0 });
        } catch {
          return kIo;
        }
        this.#view().setUint32(out, this.#next++, true);
        return kSuccess;
      },
      fd_readdir: (fd: number, at: number, size: number, cookie: bigint, used: number) => {
        const open = this.#open.get(fd);
        if (!open) return kBadDescriptor;
        const names = this.#files.list(open.path);
        let filled = 0;
        for (let i = Number(cookie); i < names.length && filled < size; ++i) {
          const entry = directoryEntry(names[i] ?? "", i + 1).subarray(0, size - filled); // the last may be cut off
          this.#bytes(at + filled, entry.length).set(entry);
          filled += entry.length;
        }
        this.#view().setUint32(used, filled, true);
        return kSuccess;
      },
    };
  }

  #read(fd: number, vectors: number, count: number, offset: number, out: number): number {
    const file = this.#open.get(fd)?.file;
    if (!file) return kBadDescriptor;
    try {
      let at = offset;
      const total = this.#eachVector(vectors, count, (bytes) => {
        const n = file.read(at, bytes);
        at += n;
        return n;
      });
      this.#view().setUint32(out, total, true);
      return kSuccess;
    } catch {
      return kIo;
    }
  }

  /// Calls `use` with each buffer of a scatter/gather list; returns the sum of what it returns.
  #eachVector(vectors: number, count: number, use: (bytes: Uint8Array) => number): number {
    let total = 0;
    for (let i = 0; i < count; ++i) {
      const at = this.#view().getUint32(vectors + 8 * i, true);
      total += use(this.#bytes(at, this.#view().getUint32(vectors + 8 * i + 4, true)));
    }
    return total;
  }

  #putStat(out: number, stat: { directory: boolean; size: number }): number {
    this.#bytes(out, 64).fill(0);
    this.#view().setUint8(out + 16, stat.directory ? kDirectory : kRegular);
    this.#view().setBigUint64(out + 24, 1n, true); // links
    this.#view().setBigUint64(out + 32, BigInt(stat.size), true);
    return kSuccess;
  }

  #path(fd: number, at: number, size: number): string {
    const base = this.#open.get(fd)?.path ?? "/";
    const name = new TextDecoder().decode(this.#bytes(at, size).slice());
    const path = `${base === "/" ? "" : base}/${name}`;
    return path.replace(/\/\.?(?=\/|$)/g, "") || "/";
  }

  #bytes(at: number, size: number): Uint8Array {
    return new Uint8Array((this.#memory as WebAssembly.Memory).buffer, at, size);
  }

  #view(): DataView {
    return new DataView((this.#memory as WebAssembly.Memory).buffer);
  }
}

function directoryEntry(name: string, next: number): Uint8Array {
  const text = new TextEncoder().encode(name);
  const entry = new Uint8Array(24 + text.length);
  const view = new DataView(entry.buffer);
  view.setBigUint64(0, BigInt(next), true);
  view.setUint32(16, text.length, true);
  view.setUint8(20, 0); // of unknown type
  entry.set(text, 24);
  return entry;
}
