// @tern/web for browsers: language models in a tab, by WebGPU or on the CPU, in a worker of their own.
//
//   const tern = await Tern.load("model.gguf");
//   for await (const piece of tern.chat([{ role: "user", content: "Hello!" }])) console.log(piece.text);
import { lockIsFree } from "./alive.js";
import type { LoadOptions, Source } from "./api.js";
import { Channel } from "./channel.js";
import { TernError } from "./errors.js";
import type { Port } from "./protocol.js";
import { TernClient } from "./tern.js";
import type { Connection } from "./tern.js";

export type * from "./api.js";
export { Models } from "./models.js";
export type { AddOptions, StorageEstimate } from "./models.js";
export type { StoredModel } from "./store.js";
export { TernError } from "./errors.js";
export type { TernErrorCode } from "./errors.js";
export type * from "./openai.js";

function startWorker(options: LoadOptions): Connection {
  const workers: Worker[] = []; // that of the engine, then those of its threads
  const terminate = () => {
    for (const worker of workers) worker.terminate();
  };
  const start = (): Worker => {
    const worker = options.worker
      ? options.worker()
      : new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "tern" });
    workers.push(worker);
    worker.onerror = (event) => {
      const message = event.message || "it could not be started; is worker.js where the package's other files are?";
      channel.fail(new TernError("worker", `The worker that runs the model failed: ${message}`));
      terminate();
    };
    return worker;
  };
  const channel: Channel = new Channel(start() as unknown as Port);
  channel.onThread = (thread) => start().postMessage(thread);
  void watch(channel, terminate);
  return { channel, terminate };
}

/// Ends all calls when the worker ends without a word. Where locks are refused nobody notices.
async function watch(channel: Channel, terminate: () => void): Promise<void> {
  try {
    const lock = `tern-worker:${crypto.randomUUID()}`;
    await channel.call({ op: "hold", lock }).result;
    await lockIsFree(lock);
  } catch {
    return;
  }
  channel.fail(new TernError("worker", "The worker that ran the model has ended: by a script, or for want of memory."));
  terminate(); // its threads
}

export class Tern extends TernClient {
  /// Opens a model in a worker of its own, which starts while a promised source is waited for. Throws TernError.
  static async load(source: Source | Promise<Source>, options: LoadOptions = {}): Promise<Tern> {
    const tern = new Tern(startWorker(options));
    await tern.load(source, options);
    return tern;
  }
}
