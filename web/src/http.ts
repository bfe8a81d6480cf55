// What servers answer, and what is wrong with it, in words. Ranges: RFC 9110, section 14.
import { aborted, TernError } from "./errors.js";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/// What a server says about a file.
export interface Remote {
  url: string;
  bytes: number | null; // null: it does not say
  ranges: boolean; // it gives parts
  tag: string | null; // changes with the file: ETag or Last-Modified, where this page may read them
}

/// Worth another try: the network, or a server that is busy.
export class Transient extends TernError {
  readonly afterSeconds: number; // what the server asks for

  constructor(code: "network" | "http" | "incomplete", message: string, afterSeconds = 0) {
    super(code, message);
    this.afterSeconds = afterSeconds;
  }
}

export async function request(fetcher: Fetch, url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetcher(url, init);
  } catch (error) {
    if (init.signal?.aborted) throw aborted();
    const offline = (globalThis.navigator as { onLine?: boolean } | undefined)?.onLine === false;
    const why = offline
      ? "this machine is offline"
      : "the server cannot be reached, or does not allow this page to read it (CORS)";
    throw Object.assign(new Transient("network", `${url} cannot be fetched: ${why}.`), { cause: error });
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw refusal(response, url);
}

function refusal({ status, headers }: Response, url: string): TernError {
  const at = `(${status} for ${url})`;
  if (status === 404 || status === 410) {
    return new TernError("not-found", `The server has no such file ${at}. Is the address right?`);
  }
  if (status === 401 || status === 403) {
    return new TernError("forbidden", `The server does not give everybody this file ${at}. Perhaps it wants a login.`);
  }
  if (status === 416) {
    return new TernError("incomplete", `The file became shorter while it was downloaded ${at}. Load it again.`);
  }
  if (status === 429 || status >= 500) {
    const wait = Number(headers.get("retry-after") ?? 0) || 0;
    return new Transient("http", `The server is busy or broken ${at}. Try again later.`, wait);
  }
  return new TernError("http", `The server refuses ${at}.`);
}

/// "bytes 0-99/1234": where it begins, and the whole length; null when unreadable.
export function contentRange(headers: Headers): { begin: number; total: number | null } | null {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  return match === null ? null : { begin: Number(match[1]), total: match[2] === "*" ? null : Number(match[2]) };
}

/// Throws when an answer is not of the range that begins at `at`, or not of the file that was probed.
export async function checkRange(response: Response, { url, bytes }: Remote, at: number): Promise<void> {
  const range = contentRange(response.headers);
  const right = response.status === 206 && (range === null || range.begin === at);
  if (right && (range?.total ?? bytes) === bytes) return;
  await response.body?.cancel();
  const message = `The server gives other bytes of ${url} than it is asked for, or the file has changed.`;
  throw new TernError("incomplete", `${message} Load it again.`);
}

export function lengthOf(headers: Headers): number | null {
  if (headers.get("content-encoding") !== null) return null; // it is the length of the encoding
  const text = headers.get("content-length");
  return text === null || !/^\d+$/.test(text) ? null : Number(text);
}

export function tagOf(headers: Headers): string | null {
  return headers.get("etag") ?? headers.get("last-modified");
}

/// Throws when the first bytes of an answer are a web page or something else that is surely no model.
export function checkBeginning(bytes: Uint8Array, url: string): void {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 256)).trimStart().toLowerCase();
  if (text.startsWith("<!doctype") || text.startsWith("<html") || text.startsWith("<?xml")) {
    const hint = /huggingface\.co\/.*\/blob\//.test(url) ? " On Hugging Face, write /resolve/ instead of /blob/." : "";
    throw new TernError("not-a-model", `${url} answers with a web page, not with a model.${hint}`);
  }
  if (text.startsWith("version https://git-lfs")) {
    throw new TernError("not-a-model", `${url} is a pointer of Git LFS, not the file. Use its download address.`);
  }
}

/// Asks for one byte, so that a server that knows ranges sends no more.
export async function probe(fetcher: Fetch, url: string, signal: AbortSignal | null): Promise<Remote> {
  const response = await request(fetcher, url, { headers: { range: "bytes=0-0" }, signal });
  await response.body?.cancel();
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("text/html")) checkBeginning(new TextEncoder().encode("<html"), url);
  const tag = tagOf(response.headers);
  if (response.status !== 206) return { url, bytes: lengthOf(response.headers), ranges: false, tag };
  const range = contentRange(response.headers);
  if (range !== null) return { url, bytes: range.total, ranges: range.total !== null && range.begin === 0, tag };
  const head = await request(fetcher, url, { method: "HEAD", signal }).catch(() => null); // CORS hides Content-Range
  const bytes = head === null ? null : lengthOf(head.headers);
  return { url, bytes, ranges: bytes !== null, tag };
}
