// Threads of the module: workers that run another instance of it on the same memory (src/base/thread.h). Engines start
// them through a Threads, of which browsers and Node have one each; the worker calls runThread(), which never returns.

/// What a worker needs to become a thread; may be posted to it.
export interface ThreadStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  place: number;
  stackTop: number;
  tls: number;
}

export interface Threads {
  count: number; // the engine's own included
  start(thread: ThreadStart): void;
}

export const kNoThreads: Threads = { count: 1, start: () => undefined };

const kPageBytes = 65536;
const kInitialBytes = 16 << 20; // as the linker has it
// 4 GiB at most; the whole of it is reserved as addresses, which small devices refuse.
const kMostBytes = [2 ** 32, 2 ** 31, 2 ** 30];

export const needsSharedMemory = (module: WebAssembly.Module) =>
  WebAssembly.Module.imports(module).some(({ kind }) => kind === "memory");

export function sharedMemory(): WebAssembly.Memory {
  let refusal: unknown;
  for (const bytes of kMostBytes) {
    try {
      const [initial, maximum] = [kInitialBytes / kPageBytes, bytes / kPageBytes];
      return new WebAssembly.Memory({ initial, maximum, shared: true });
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal as Error;
}

export function isThreadStart(message: unknown): message is ThreadStart {
  return typeof message === "object" && message !== null && "stackTop" in message;
}

/// What threads have no business with: files, the GPU, the clock.
function refusing(module: WebAssembly.Module): WebAssembly.Imports {
  const imports: WebAssembly.Imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== "function") continue;
    (imports[from] ??= {})[name] = () => {
      throw new Error(`A thread called ${from}.${name}, which only the engine itself may.`);
    };
  }
  return imports;
}

export function runThread({ module, memory, place, stackTop, tls }: ThreadStart): void {
  const instance = new WebAssembly.Instance(module, { ...refusing(module), env: { memory } });
  const { __stack_pointer, __wasm_init_tls, tern_thread } = instance.exports as unknown as {
    __stack_pointer: WebAssembly.Global;
    __wasm_init_tls(tls: number): void;
    tern_thread(place: number): void;
  };
  __stack_pointer.value = stackTop; // before anything is called: until here it is the engine's
  __wasm_init_tls(tls);
  tern_thread(place);
}
