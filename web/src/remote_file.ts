// A file on a server, read in ranges, for when nothing may be stored.
import { TernError } from "./errors.js";
import { checkRange, request, Transient } from "./http.js";
import type { Remote } from "./http.js";
import { RangedFile, readInto } from "./ranged_file.js";

export class RemoteFile extends RangedFile {
  #remote: Remote;

  /// Precondition: remote.ranges.
  constructor(remote: Remote) {
    super(remote.url, remote.bytes ?? 0);
    this.#remote = remote;
  }

  protected override async fetch(at: number, n: number, room: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    const { url } = this.#remote;
    const headers = { range: `bytes=${at}-${at + n - 1}` };
    const response = await request((address, init) => fetch(address, init), url, { headers });
    await checkRange(response, this.#remote, at);
    const body = await readInto(response, room, n).catch(() => {
      throw new Transient("incomplete", `The connection to ${url} broke.`);
    });
    if (body.length === n) return body;
    throw new TernError("incomplete", `The server sends ${body.length} bytes of ${url}, asked for are ${n}.`);
  }
}
