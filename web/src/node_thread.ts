// A thread of the engine in Node.
import * as fs from "node:fs";
import { workerData } from "node:worker_threads";
import { runThread } from "./threads.js";
import type { ThreadStart } from "./threads.js";

try {
  runThread(workerData as ThreadStart);
} catch (error) {
  fs.writeSync(2, `tern: a thread of the engine failed: ${String(error)}\n`);
  process.kill(process.pid, "SIGABRT");
}
