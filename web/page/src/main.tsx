// Starts the page: the model and the conversations at once, the service worker when there is nothing more urgent.
import "./trusted_types";
import { render } from "preact";
import { restore } from "./state/conversations";
import { openLast } from "./state/model";
import { App } from "./ui/app";

async function workOffline(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("./sw.js");
  await navigator.storage.persist?.(); // conversations and models are not to vanish when the disk fills up
}

render(<App />, document.getElementById("app") as HTMLElement);
void restore();
openLast()
  .then(workOffline)
  .catch((error: unknown) => console.warn("The page will not open offline:", error));
