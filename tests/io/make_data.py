#!/usr/bin/env python3
"""Writes tests/data/io/ with other people's writers, so that Tern's readers and writers cannot share a mistake.

Needs: pip install gguf safetensors numpy. Run it from anywhere: `python3 tests/io/make_data.py`.
The quantised checkpoints are packed here in NumPy from AutoAWQ's description of its tensors; each "X.weight" that
Tern should see has its dequantised values beside it as "X.expected".
"""
import json
from pathlib import Path

import gguf
import numpy as np
import safetensors

DATA = Path(__file__).resolve().parent.parent / "data" / "io"
GEMM_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]
GEMV_ORDER = [0, 1, 2, 3, 4, 5, 6, 7]


def ramp(*shape: int) -> np.ndarray:
    """0, 0.25, 0.5, ...: exact in every float format while small."""
    return (np.arange(np.prod(shape), dtype=np.float32) / 4).reshape(shape)


def write_all_types(path: Path, endian=gguf.GGUFEndian.LITTLE) -> None:
    w = gguf.GGUFWriter(path, "llama", endianess=endian)
    w.add_uint8("t.u8", 250)
    w.add_int8("t.i8", -100)
    w.add_uint16("t.u16", 65000)
    w.add_int16("t.i16", -30000)
    w.add_uint32("t.u32", 4000000000)
    w.add_int32("t.i32", -2000000000)
    w.add_float32("t.f32", 0.15625)
    w.add_bool("t.bool", True)
    w.add_string("t.string", "naïve ✓")
    w.add_uint64("t.u64", 2**63 + 5)
    w.add_int64("t.i64", -(2**62))
    w.add_float64("t.f64", 0.1)
    value = gguf.GGUFValueType
    for name, kind, items in [
        ("u8", value.UINT8, [0, 255]), ("i8", value.INT8, [-128, 127]), ("u16", value.UINT16, [0, 65535]),
        ("i16", value.INT16, [-32768, 32767]), ("u32", value.UINT32, [0, 2**32 - 1]),
        ("i32", value.INT32, [-(2**31), 2**31 - 1]), ("f32", value.FLOAT32, [0.5, -2.0]),
        ("bool", value.BOOL, [True, False, True]), ("string", value.STRING, ["a", "", "ß"]),
        ("u64", value.UINT64, [0, 2**64 - 1]), ("i64", value.INT64, [-(2**63), 2**63 - 1]),
        ("f64", value.FLOAT64, [0.1, 1e300]),
    ]:
        w.add_key_value(f"a.{name}", items, value.ARRAY, sub_type=kind)
    w.add_chat_template("{{ messages }}")
    w.add_tensor("vector.f32", ramp(5))
    w.add_tensor("matrix.f16", ramp(3, 4).astype(np.float16))
    w.add_tensor("experts.f32", ramp(2, 3, 4))
    q8 = gguf.quants.quantize(np.tile(np.arange(-16, 16, dtype=np.float32), (2, 2)) * 127 / 16,
                              gguf.GGMLQuantizationType.Q8_0)
    w.add_tensor("matrix.q8_0", q8, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_split(path: Path) -> None:
    w = gguf.GGUFWriter(path, "llama", split_max_tensors=2)
    w.add_context_length(64)
    for i in range(5):
        w.add_tensor(f"t{i}", ramp(2, 4) + i)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def entry(dtype: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    return dtype, np.ascontiguousarray(array)


def serialize(tensors: dict) -> bytes:
    """Through the safetensors package; by address because NumPy has no bfloat16."""
    specs = {name: safetensors.TensorSpec(dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data,
                                          data_len=array.nbytes) for name, (dtype, array) in tensors.items()}
    return safetensors.serialize(specs, {"format": "pt"})


def bf16(array: np.ndarray) -> np.ndarray:
    """Exact only: the values used here need no rounding."""
    bits = array.astype(np.float32).view(np.uint32)
    assert not np.any(bits & 0xFFFF)
    return (bits >> 16).astype(np.uint16)


def pack(values: np.ndarray, order: list[int]) -> np.ndarray:
    """8 neighbours along the last axis into an i32: value order[i] in nibble i."""
    groups = values.astype(np.uint32).reshape(*values.shape[:-1], -1, 8)
    packed = sum(groups[..., order[i]] << np.uint32(4 * i) for i in range(8))
    return packed.astype(np.uint32).view(np.int32)


def awq(version: str, out: int, inp: int, seed: int) -> dict:
    rng = np.random.default_rng(seed)
    groups = inp // 128
    q = rng.integers(0, 16, (out, inp))
    z = rng.integers(0, 16, (out, groups))
    s = (rng.integers(1, 1000, (out, groups)) / 4096).astype(np.float16)
    expected = (q - np.repeat(z, 128, 1)).astype(np.float32) * np.repeat(s, 128, 1).astype(np.float32)
    if version == "gemm":
        parts = pack(q.T, GEMM_ORDER), pack(z.T, GEMM_ORDER), s.T.copy()
    else:
        width = -(-groups // 8) * 8
        pad = ((0, 0), (0, width - groups))
        parts = pack(q, GEMV_ORDER), pack(np.pad(z, pad), GEMV_ORDER), np.pad(s, pad)
    return {"proj.qweight": entry("int32", parts[0]), "proj.qzeros": entry("int32", parts[1]),
            "proj.scales": entry("float16", parts[2]), "proj.expected": entry("float32", expected),
            "proj.bias": entry("float16", ramp(out).astype(np.float16))}


def write_folder(name: str, config: dict, files: dict[str, dict]) -> None:
    folder = DATA / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    for file, tensors in files.items():
        (folder / file).write_bytes(serialize(tensors))


def write_awq() -> None:
    for version, out, inp in [("gemm", 16, 256), ("gemv", 8, 1152)]:
        quantization = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": version}
        write_folder(f"awq-{version}", {"model_type": "llama", "quantization_config": quantization},
                     {"model.safetensors": awq(version, out, inp, seed=inp)})


def write_int8() -> None:
    rng = np.random.default_rng(8)
    tensors = {}
    for name, dtype, shape in [("a", "float32", (3,)), ("b", "float16", (3, 1)), ("c", "bfloat16", (3, 1))]:
        q = rng.integers(-128, 128, (3, 6)).astype(np.int8)
        scale = np.array([0.5, 0.0078125, 3.0], dtype=np.float32)
        stored = bf16(scale) if dtype == "bfloat16" else scale.astype(dtype)
        tensors[f"{name}.weight"] = entry("int8", q)
        tensors[f"{name}.weight_scale"] = entry(dtype, stored.reshape(shape))
        tensors[f"{name}.expected"] = entry("float32", q.astype(np.float32) * scale[:, None])
    weights = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel"}
    quantization = {"quant_method": "compressed-tensors", "format": "int-quantized",
                    "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}
    write_folder("int8", {"model_type": "llama", "quantization_config": quantization}, {"model.safetensors": tensors})


def write_sharded() -> None:
    shards = {
        "model-00001-of-00002.safetensors": {
            "x": entry("float32", ramp(2, 4)), "y": entry("float16", ramp(3).astype(np.float16))},
        "model-00002-of-00002.safetensors": {"z": entry("bfloat16", bf16(ramp(2, 2)))},
    }
    write_folder("sharded", {"model_type": "llama", "vocab_size": 7}, shards)
    folder = DATA / "sharded"
    index = {"metadata": {"total_size": 46}, "weight_map": {t: f for f, ts in shards.items() for t in ts}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    (folder / "generation_config.json").write_text('{"eos_token_id": [1, 2]}\n')
    (folder / "tokenizer.json").write_text('{"model": {"type": "BPE", "vocab": {"a": 0}}}\n')
    templates = [{"name": "rag", "template": "no"}, {"name": "default", "template": "yes"}]
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "chat_template": templates}) + "\n")


if __name__ == "__main__":
    DATA.mkdir(parents=True, exist_ok=True)
    write_all_types(DATA / "all_types.gguf")
    write_all_types(DATA / "big_endian.gguf", gguf.GGUFEndian.BIG)
    write_split(DATA / "split.gguf")
    write_awq()
    write_int8()
    write_sharded()
