// A GGUF cut in two as llama.cpp's gguf-split does it: "x-00001-of-00002.gguf" has the metadata and the first tensors.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
const kSizes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8]; // of a value, by its type
const kU16 = 2;
const kI32 = 5;
const kString = 8;
const kArray = 9;
const kAlignment = 32;

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  u32() {
    return this.bytes.readUInt32LE((this.at += 4) - 4);
  }
  u64() {
    return Number(this.bytes.readBigUInt64LE((this.at += 8) - 8));
  }
  skipText() {
    const n = this.u64();
    this.at += n;
  }
  skipValue(type) {
    if (type === kString) return this.skipText();
    if (type !== kArray) return void (this.at += kSizes[type]);
    const [inner, n] = [this.u32(), this.u64()];
    if (inner === kString) for (let i = 0; i < n; ++i) this.skipText();
    else this.at += n * kSizes[inner];
  }
}

const u32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const padding = (size) => Buffer.alloc((kAlignment - (size % kAlignment)) % kAlignment);

function pair(name, type, value) {
  const bytes = type === kU16 ? Buffer.from(Uint16Array.of(value).buffer) : Buffer.from(Int32Array.of(value).buffer);
  return Buffer.concat([u64(name.length), Buffer.from(name), u32(type), bytes]);
}

/// whole: a GGUF in memory, of the usual alignment. Returns its two parts.
export function splitGguf(whole) {
  const reader = new Reader(whole);
  reader.at = 8; // magic, version
  const [nTensors, nPairs] = [reader.u64(), reader.u64()];
  const pairsAt = reader.at;
  for (let i = 0; i < nPairs; ++i) {
    reader.skipText();
    reader.skipValue(reader.u32());
  }
  const pairs = whole.subarray(pairsAt, reader.at);
  const tensors = [];
  for (let i = 0; i < nTensors; ++i) {
    const begin = reader.at;
    reader.skipText();
    const nDimensions = reader.u32();
    reader.at += 8 * nDimensions + 4; // and the type
    tensors.push({ info: whole.subarray(begin, reader.at), offset: reader.u64() });
  }
  const dataAt = reader.at + padding(reader.at).length;
  const endOf = (i) => tensors[i + 1]?.offset ?? whole.length - dataAt;
  const half = nTensors >> 1;
  const part = (no, from, to) => {
    const split = [pair("split.no", kU16, no), pair("split.count", kU16, 2)];
    split.push(pair("split.tensors.count", kI32, nTensors));
    const base = tensors[from].offset;
    const infos = tensors.slice(from, to).flatMap(({ info, offset }) => [info, u64(offset - base)]);
    const counts = [u64(to - from), u64(no === 0 ? nPairs + split.length : split.length)];
    const metadata = no === 0 ? [pairs, ...split] : split;
    const header = Buffer.concat([whole.subarray(0, 8), ...counts, ...metadata, ...infos]);
    return Buffer.concat([header, padding(header.length), whole.subarray(dataAt + base, dataAt + endOf(to - 1))]);
  };
  return [part(0, 0, half), part(1, half, nTensors)];
}
