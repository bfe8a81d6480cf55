// SHA-256 (FIPS 180-4) in pieces: crypto.subtle digests only what is in memory as a whole. 150 MB/s where crypto.subtle
// would have 1,000; once per download.
/* eslint-disable @typescript-eslint/no-non-null-assertion -- all indices are below 64 */

const kBlock = 64;

/// The first `n` primes, of whose roots the constants are the fractions.
function primes(n: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < n; ++candidate) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}
const fraction = (x: number): number => ((x - Math.floor(x)) * 2 ** 32) | 0;
const kRound = Int32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)));
const kInitial = Int32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)));

export class Sha256 {
  #state = kInitial.slice();
  #words = new Int32Array(64);
  #rest = new Uint8Array(kBlock); // bytes of a block that is not full yet
  #nRest = 0;
  #bytes = 0;

  update(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    let at = 0;
    if (this.#nRest > 0) {
      at = Math.min(kBlock - this.#nRest, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#nRest);
      this.#nRest += at;
      if (this.#nRest < kBlock) return;
      this.#blocks(this.#rest, 0, kBlock);
      this.#nRest = 0;
    }
    const end = at + Math.floor((bytes.length - at) / kBlock) * kBlock;
    this.#blocks(bytes, at, end);
    this.#rest.set(bytes.subarray(end));
    this.#nRest = bytes.length - end;
  }

  /// In hexadecimal. Nothing may be added afterwards.
  digest(): string {
    const bits = BigInt(this.#bytes) * 8n;
    const tail = new Uint8Array(this.#nRest < 56 ? kBlock : 2 * kBlock);
    tail.set(this.#rest.subarray(0, this.#nRest));
    tail[this.#nRest] = 0x80;
    new DataView(tail.buffer).setBigUint64(tail.length - 8, bits);
    this.#blocks(tail, 0, tail.length);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #blocks(bytes: Uint8Array, begin: number, end: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const w = this.#words;
    for (let at = begin; at < end; at += kBlock) {
      for (let i = 0; i < 16; ++i) w[i] = view.getInt32(at + 4 * i);
      for (let i = 16; i < 64; ++i) {
        const a = w[i - 15]!;
        const b = w[i - 2]!;
        const s0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
        const s1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
        w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
      }
      compress(this.#state, w, kRound);
    }
  }
}

/// One block. Written out and over plain parameters: V8 runs it three times as fast as over fields and closures.
function compress(state: Int32Array, w: Int32Array, k: Int32Array): void {
  let a = state[0]! | 0;
  let b = state[1]! | 0;
  let c = state[2]! | 0;
  let d = state[3]! | 0;
  let e = state[4]! | 0;
  let f = state[5]! | 0;
  let g = state[6]! | 0;
  let h = state[7]! | 0;
  for (let i = 0; i < 64; ++i) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + k[i]! + w[i]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const sums = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; ++i) state[i]! += sums[i]!;
}
