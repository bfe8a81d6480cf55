// The files of one model as the engine sees them: a folder "/model" over whatever can be read synchronously.
import type { File, FileSystem } from "./wasi.js";

export const kModelFolder = "/model";

/// files: by name. Each may be opened any number of times; whoever made them closes them.
export function modelFolder(files: ReadonlyMap<string, File>): FileSystem {
  const nameOf = (path: string) => path.slice(kModelFolder.length + 1);
  const find = (path: string) => (path.startsWith(`${kModelFolder}/`) ? files.get(nameOf(path)) : undefined);
  return {
    stat: (path) => {
      if (path === kModelFolder) return { directory: true, size: 0 };
      const file = find(path);
      return file === undefined ? null : { directory: false, size: file.size };
    },
    list: (path) => (path === kModelFolder ? [...files.keys()].sort() : []),
    open: (path) => {
      const file = find(path);
      if (file === undefined) throw new Error(`There is no ${path}.`);
      return { size: file.size, read: (offset, out) => file.read(offset, out), close: () => undefined };
    },
  };
}

/// What to open in the folder: the only file, the first part of a split GGUF, else the folder itself.
export function pathOf(names: string[]): string {
  const first = names.length === 1 ? names[0] : names.find((name) => /-0*1-of-\d+\.gguf$/.test(name));
  return first === undefined ? kModelFolder : `${kModelFolder}/${first}`;
}
