// Download: one file from a server to a place that can be written anywhere in. Servers that give ranges are asked for
// several chunks at once, and what is there is never asked for again; others send everything in one go.
import { TernError } from "./errors.js";
import { checkBeginning, checkRange, request, Transient } from "./http.js";
import type { Fetch, Remote } from "./http.js";

export interface Target {
  /// Chunks that are there from an earlier try at the same file.
  readonly done: ReadonlySet<number>;
  write(offset: number, bytes: Uint8Array): void;
  /// A chunk is whole; when the page is closed now, it is not asked for again.
  finish(chunk: number): void;
}

export interface DownloadOptions {
  fetch: Fetch;
  signal: AbortSignal | null;
  onBytes: (n: number) => void; // negative: bytes that have to come again
  chunkBytes: number;
  parallel: number;
  retries: number;
  retryMs: number; // before the first retry; doubles
}

/// 8 MB: lost at most per connection when a page is closed, and long enough that asking again costs nothing.
export const kDefaults = { chunkBytes: 8 << 20, parallel: 4, retries: 5, retryMs: 500 };

/// Returns the file's length.
export async function download(remote: Remote, target: Target, options: DownloadOptions): Promise<number> {
  const { bytes } = remote;
  if (!remote.ranges || bytes === null) return await downloadWhole(remote, target, options);
  const { chunkBytes, parallel } = options;
  const missing = Array.from({ length: Math.ceil(bytes / chunkBytes) }, (_, i) => i).filter((i) => !target.done.has(i));
  const failed = new AbortController(); // one chunk that cannot be had ends the others
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
  const lane = async (): Promise<void> => {
    for (let chunk = missing.shift(); chunk !== undefined; chunk = missing.shift()) {
      const begin = chunk * chunkBytes;
      await downloadRange(remote, target, begin, Math.min(begin + chunkBytes, bytes), { ...options, signal });
      target.finish(chunk);
    }
  };
  let failure: unknown = null;
  const guarded = async (): Promise<void> => {
    await lane().catch((error: unknown) => {
      failure ??= error;
      failed.abort();
    });
  };
  await Promise.all(Array.from({ length: parallel }, guarded)); // so that nothing is written after this has returned
  if (failure !== null) throw failure as TernError;
  return bytes;
}

/// Bytes [begin, end); goes on where a broken connection ended.
async function downloadRange(
  remote: Remote,
  target: Target,
  begin: number,
  end: number,
  options: DownloadOptions,
): Promise<void> {
  let at = begin;
  await retrying(options, async () => {
    const headers = { range: `bytes=${at}-${end - 1}` };
    const response = await request(options.fetch, remote.url, { headers, signal: options.signal });
    await checkRange(response, remote, at);
    const before = at;
    for await (const bytes of chunksOf(response, remote.url)) {
      if (at === 0) checkBeginning(bytes, remote.url);
      if (bytes.length > end - at) throw tooMany(remote.url, end - before);
      target.write(at, bytes);
      at += bytes.length;
      options.onBytes(bytes.length);
    }
    if (at < end) throw new Transient("incomplete", endedEarly(remote.url, at - before, end - before));
  });
}

/// A server without ranges: every try begins anew.
async function downloadWhole(remote: Remote, target: Target, options: DownloadOptions): Promise<number> {
  let length = 0;
  await retrying(options, async () => {
    options.onBytes(-length);
    length = 0;
    const response = await request(options.fetch, remote.url, { signal: options.signal });
    for await (const bytes of chunksOf(response, remote.url)) {
      if (length === 0) checkBeginning(bytes, remote.url);
      if (remote.bytes !== null && length + bytes.length > remote.bytes) throw tooMany(remote.url, remote.bytes);
      target.write(length, bytes);
      length += bytes.length;
      options.onBytes(bytes.length);
    }
    if (remote.bytes !== null && length < remote.bytes) {
      throw new Transient("incomplete", endedEarly(remote.url, length, remote.bytes));
    }
  });
  return length;
}

function tooMany(url: string, promised: number): TernError {
  return new TernError("incomplete", `The server promised ${promised} bytes of ${url} and sends more. It is broken.`);
}

function endedEarly(url: string, got: number, promised: number): string {
  return `The server promised ${promised} bytes of ${url} and sent ${got}. Load it again to go on from there.`;
}

async function* chunksOf(response: Response, url: string): AsyncGenerator<Uint8Array, void, void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        if (error instanceof DOMException && error.name === "AbortError") throw error;
        throw new Transient("incomplete", `The connection to ${url} broke. Load it again to go on from there.`);
      });
      if (done) return;
      if (value.length > 0) yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/// Tries again what may work later.
export async function retrying(
  options: Pick<DownloadOptions, "retries" | "retryMs" | "signal">,
  attempt: () => Promise<void>,
): Promise<void> {
  for (let tries = 0; ; ++tries) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!(error instanceof Transient) || tries >= options.retries || options.signal?.aborted) throw error;
      const ms = Math.max(options.retryMs * 2 ** tries, error.afterSeconds * 1000);
      await new Promise((resolve) => setTimeout(resolve, Math.min(ms, 60_000)));
      if (options.signal?.aborted) throw error;
    }
  }
}
