// The package's worker: the engine lives here, off the page's thread.
import { browser } from "./browser.js";
import { Host } from "./host.js";
import type { Port } from "./protocol.js";

new Host(browser, globalThis as unknown as Port);
