// What comes back from the device: one mappable buffer per step in flight, its outputs packed one after the other. A
// place is used again when its ticket is the oldest, so results live until that many later steps were submitted.

/// Steps in flight at most, and how many tickets' results are kept (kSampledTokens in src/graph/step.h).
export const kReadbackPlaces = 8;

type State = "free" | "pending" | "ready" | "failed";

/// A part of a step's results: `bytes` of `source` from `from` on, packed at `at`.
export interface Piece {
  output: number;
  source: GPUBuffer;
  from: number;
  at: number;
  bytes: number;
}

class Place {
  buffer: GPUBuffer | null = null;
  ticket = 0;
  state: State = "free";
  mapped: Uint8Array | null = null;
  settled: Promise<void> = Promise.resolve();
  // Where the outputs lie, by output; -1: not read back.
  at: number[] = [];
  bytes: number[] = [];
}

export class ReadbackRing {
  #device: GPUDevice;
  #places: Place[] = Array.from({ length: kReadbackPlaces }, () => new Place());

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /// Takes the place of the oldest ticket and records the copies. False: that ticket is still in flight.
  begin(ticket: number, encoder: GPUCommandEncoder, pieces: Piece[]): boolean {
    const place = this.#placeOf(ticket);
    if (place.state === "pending") return false;
    if (place.mapped !== null) place.buffer?.unmap();
    place.mapped = null;
    place.ticket = ticket;
    place.at.fill(-1);
    const last = pieces.at(-1);
    const size = Math.max(4, last === undefined ? 0 : last.at + last.bytes);
    if (place.buffer === null || place.buffer.size < size) {
      place.buffer?.destroy();
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      place.buffer = this.#device.createBuffer({ label: "readback", size: 2 ** Math.ceil(Math.log2(size)), usage });
    }
    for (const piece of pieces) {
      place.at[piece.output] = piece.at;
      place.bytes[piece.output] = piece.bytes;
      encoder.copyBufferToBuffer(piece.source, piece.from, place.buffer, piece.at, piece.bytes);
    }
    return true;
  }

  /// To be called when the commands were submitted. A step without outputs is waited for by mapping all the same.
  end(ticket: number): void {
    const place = this.#placeOf(ticket);
    const buffer = place.buffer as GPUBuffer; // begin() made it
    place.state = "pending";
    place.settled = buffer.mapAsync(GPUMapMode.READ).then(
      () => {
        place.mapped = new Uint8Array(buffer.getMappedRange());
        place.state = "ready";
      },
      () => {
        place.state = "failed"; // the device is lost, or the ring was destroyed
      },
    );
  }

  state(ticket: number): State {
    const place = this.#placeOf(ticket);
    return place.ticket === ticket ? place.state : "failed";
  }

  /// Precondition: state(ticket) is "ready".
  read(ticket: number, output: number, out: Uint8Array): void {
    const place = this.#placeOf(ticket);
    const at = place.at[output] ?? -1;
    const bytes = place.bytes[output] ?? 0;
    if (at < 0 || out.length > bytes || place.mapped === null) {
      throw new Error(`Output ${output} of step ${ticket} has ${at < 0 ? 0 : bytes} bytes, ${out.length} are wanted.`);
    }
    out.set(place.mapped.subarray(at, at + out.length));
  }

  /// Resolves when a step that is in flight now is done (or failed); at once when there is none.
  async settled(): Promise<void> {
    const pending = this.#places.filter((place) => place.state === "pending");
    if (pending.length > 0) await Promise.race(pending.map((place) => place.settled));
  }

  destroy(): void {
    for (const place of this.#places) place.buffer?.destroy();
  }

  #placeOf(ticket: number): Place {
    return this.#places[ticket % kReadbackPlaces] as Place;
  }
}
