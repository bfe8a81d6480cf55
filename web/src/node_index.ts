// @tern/web for Node, Deno and Bun: the same as for browsers, with the worker and the files of node:*. Models lie on
// the disk and are named by path, so there is no store (Models) here.
import { Worker } from "node:worker_threads";
import type { LoadOptions, Source } from "./api.js";
import { Channel } from "./channel.js";
import { TernError } from "./errors.js";
import { startThread } from "./node.js";
import type { Call, Port, Reply } from "./protocol.js";
import { TernClient } from "./tern.js";
import type { Connection } from "./tern.js";

export type * from "./api.js";
export { TernError } from "./errors.js";
export type { TernErrorCode } from "./errors.js";
export type * from "./openai.js";

/// The worker keeps the process alive while a call is under way, and no longer.
function portOf(worker: Worker): Port {
  let calls = 0;
  const port: Port = {
    onmessage: null,
    postMessage: (message) => {
      if (calls++ === 0) worker.ref();
      worker.postMessage(message as Call);
    },
  };
  worker.unref();
  worker.on("message", (data: Reply) => {
    if (("result" in data || "error" in data) && --calls === 0) worker.unref();
    port.onmessage?.({ data } as MessageEvent);
  });
  return port;
}

function startWorker(): Connection {
  // Flags of the program, such as --input-type, are not for the worker.
  const worker = new Worker(new URL("./node_worker.js", import.meta.url), { name: "tern", execArgv: [] });
  const channel = new Channel(portOf(worker));
  const end = (what: string) => channel.fail(new TernError("worker", `The worker that runs the model ${what}`));
  worker.on("error", (error) => end(`failed: ${error.message}`));
  worker.on("exit", (code) => end(`ended (${code}).`));
  const workers = [worker]; // that of the engine, then those of its threads
  channel.onThread = (thread) => workers.push(startThread(thread));
  const terminate = () => {
    for (const each of workers) void each.terminate();
  };
  return { channel, terminate };
}

export class Tern extends TernClient {
  /// Opens a model in a worker of its own: a path, a file: or http(s): address, a Blob or the Files of a split one.
  /// Throws TernError.
  static async load(source: Source | Promise<Source>, options: LoadOptions = {}): Promise<Tern> {
    const tern = new Tern(startWorker());
    await tern.load(source, options);
    return tern;
  }
}
