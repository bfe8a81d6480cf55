// A GGUF of real shapes and gigabytes of zeros, as a sparse file: what loading costs does not depend on the values.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import * as fs from "node:fs";

const kQ8 = 8; // GGML_TYPE_Q8_0: 34 bytes for 32 weights
const kF32 = 0;
const kU32 = 4;
const kFloat = 6;
const kString = 8;

class Bytes {
  parts = [];
  u32(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.parts.push(bytes);
    return this;
  }
  u64(value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.parts.push(bytes);
    return this;
  }
  text(value) {
    this.u64(Buffer.byteLength(value)).parts.push(Buffer.from(value));
    return this;
  }
  f32(value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    this.parts.push(bytes);
    return this;
  }
}

/// [name, columns, rows, type]
function tensorsOf({ layers, width, kvWidth, ffn, vocab }) {
  const tensors = [
    ["token_embd.weight", width, vocab, kQ8],
    ["output_norm.weight", width, 1, kF32],
    ["output.weight", width, vocab, kQ8],
  ];
  for (let i = 0; i < layers; ++i) {
    tensors.push(
      [`blk.${i}.attn_norm.weight`, width, 1, kF32],
      [`blk.${i}.attn_q.weight`, width, width, kQ8],
      [`blk.${i}.attn_k.weight`, width, kvWidth, kQ8],
      [`blk.${i}.attn_v.weight`, width, kvWidth, kQ8],
      [`blk.${i}.attn_output.weight`, width, width, kQ8],
      [`blk.${i}.ffn_norm.weight`, width, 1, kF32],
      [`blk.${i}.ffn_gate.weight`, width, ffn, kQ8],
      [`blk.${i}.ffn_up.weight`, width, ffn, kQ8],
      [`blk.${i}.ffn_down.weight`, ffn, width, kQ8],
    );
  }
  return tensors;
}

/// Writes the file; returns its bytes. It occupies next to nothing on the disk.
export function writeBigModel(path, shape) {
  const { layers, width, kvWidth, ffn, vocab, heads } = shape;
  const tensors = tensorsOf(shape);
  const numbers = {
    "llama.block_count": layers,
    "llama.embedding_length": width,
    "llama.feed_forward_length": ffn,
    "llama.attention.head_count": heads,
    "llama.attention.head_count_kv": (kvWidth * heads) / width,
    "llama.context_length": 2048,
    "llama.vocab_size": vocab,
    "general.alignment": 32,
  };
  const out = new Bytes().u32(0x46554747).u32(3).u64(tensors.length).u64(Object.keys(numbers).length + 2);
  out.text("general.architecture").u32(kString).text("llama");
  out.text("llama.attention.layer_norm_rms_epsilon").u32(kFloat).f32(1e-5);
  for (const [name, value] of Object.entries(numbers)) out.text(name).u32(kU32).u32(value);
  let offset = 0;
  for (const [name, columns, rows, type] of tensors) {
    out.text(name).u32(rows === 1 ? 1 : 2).u64(columns);
    if (rows !== 1) out.u64(rows);
    out.u32(type).u64(offset);
    const bytes = type === kQ8 ? (columns / 32) * 34 * rows : columns * rows * 4;
    offset += Math.ceil(bytes / 32) * 32;
  }
  const header = Buffer.concat(out.parts);
  fs.writeFileSync(path, header);
  const size = Math.ceil(header.length / 32) * 32 + offset;
  fs.truncateSync(path, size);
  return size;
}
