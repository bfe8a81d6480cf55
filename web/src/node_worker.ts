// The package's worker in Node, Deno and Bun: the engine lives here, off the program's thread.
import { parentPort } from "node:worker_threads";
import { Host } from "./host.js";
import { nodeEnvironment } from "./node_environment.js";
import type { Port } from "./protocol.js";

const port: Port = { postMessage: (message) => parentPort?.postMessage(message), onmessage: null };
new Host(nodeEnvironment, port);
parentPort?.on("message", (data) => port.onmessage?.({ data } as MessageEvent));
