// The demo model that lies beside the page. It is fetched here, not by the package: it needs no place in the store of
// downloads, since the service worker keeps it with the page.
import { TernError } from "@tern/web";
import type { LoadOptions } from "@tern/web";

const kUrl = new URL("../../../../models/tern-demo-q8_0.gguf", import.meta.url).href;

export const kDemoName = "Tern demo";
export const kDemoFile = "tern-demo-q8_0.gguf";
export const kDemoBytes = 14_919_552;

export async function fetchDemo({ signal, onProgress }: LoadOptions): Promise<File> {
  const response = await fetch(kUrl, signal ? { signal } : {}).catch((error: unknown) => {
    throw new TernError("network", "The demo model cannot be fetched: is the page's server still there?", {
      cause: error,
    });
  });
  if (!response.ok || response.body === null) {
    throw new TernError("http", `The page's server answers ${response.status} for the demo model.`);
  }
  const total = Number(response.headers.get("content-length")) || kDemoBytes;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    loaded += value.length;
    onProgress?.({ phase: "download", loaded, total });
  }
  return new File(parts, kDemoFile);
}
