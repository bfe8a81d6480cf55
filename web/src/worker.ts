// The package's worker: the engine lives here, off the page's thread, or one of its threads. The first message tells.
import { browser } from "./browser.js";
import { Host } from "./host.js";
import type { Port } from "./protocol.js";
import { isThreadStart, runThread } from "./threads.js";

const port = globalThis as unknown as Port;
port.onmessage = (event) => {
  if (isThreadStart(event.data)) return runThread(event.data);
  new Host(browser, port); // it answers from now on
  port.onmessage?.(event);
};
