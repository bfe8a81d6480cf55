// Channel: the page's side of protocol.ts. Every call gets its events in order and one end.
import type { DeviceInfo } from "./api.js";
import { TernError } from "./errors.js";
import type { ThreadStart } from "./threads.js";
import type { CallEvent, Operation, Port, Reply } from "./protocol.js";

interface Waiting {
  onEvent: (event: CallEvent) => void;
  resolve: (value: unknown) => void;
  reject: (error: TernError) => void;
}

export class Channel {
  onDevice: (device: DeviceInfo) => void = () => undefined;
  onThread: (thread: ThreadStart) => void = () => undefined;
  #port: Port;
  #next = 1;
  #waiting = new Map<number, Waiting>();
  #failure: TernError | null = null;

  constructor(port: Port) {
    this.#port = port;
    port.onmessage = (event) => this.#take(event.data as Reply);
  }

  call(
    operation: Operation,
    onEvent: (event: CallEvent) => void = () => undefined,
  ): { id: number; result: Promise<unknown> } {
    const id = this.#next++;
    const result = new Promise<unknown>((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#waiting.set(id, { onEvent, resolve, reject });
      this.#port.postMessage({ ...operation, call: id });
    });
    return { id, result };
  }

  /// The other side is gone: ends all calls, and those to come.
  fail(error: TernError): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  #take(reply: Reply): void {
    if ("device" in reply) {
      this.onDevice(reply.device);
      return;
    }
    if ("thread" in reply) {
      this.onThread(reply.thread);
      return;
    }
    const waiting = this.#waiting.get(reply.call);
    if (waiting === undefined) return;
    if ("event" in reply) {
      waiting.onEvent(reply.event);
      return;
    }
    this.#waiting.delete(reply.call);
    if ("error" in reply) waiting.reject(new TernError(reply.error.code, reply.error.message));
    else waiting.resolve(reply.result);
  }
}
