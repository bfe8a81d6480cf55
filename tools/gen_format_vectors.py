#!/usr/bin/env python3
"""Writes tests/data/formats/: what the outside world says our weight formats mean.

    python3 -m venv venv && venv/bin/pip install numpy gguf==0.19.0
    venv/bin/python tools/gen_format_vectors.py

For every format NAME of GGUF: random blocks and what gguf.quants.dequantize() makes of them.
    NAME.blocks.bin   the bytes of the blocks
    NAME.decoded.bin  f32, the weights
For the formats that gguf.quants.quantize() knows: what it makes of weights.bin (f32).
    NAME.encoded.bin
AWQ and INT8 are no GGUF formats; their vectors are computed here from their descriptions: our own blocks, and one
layer in each of AutoAWQ's two packings (awq_gemm.*, awq_gemv.*), with groups of 128 and with one group per row.
All files are little endian and without a header. The seeds are fixed: the files always come out the same.
"""

import pathlib

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "formats"
WEIGHTS_PER_FORMAT = 4096

# Where the f16 fields of a block lie: they get finite values, the extreme ones first.
F16_FIELDS = {
    "F16": [0],
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q8_0": [0],
    "Q2_K": [80, 82],
    "Q3_K": [108],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
    "IQ4_NL": [0],
    "IQ4_XS": [0],
    "MXFP4": [],
}
# Zeros, the smallest and largest subnormals, the smallest normal, one, the largest, each with both signs.
EXTREME_F16 = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x8400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF]

ENCODED = ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "MXFP4"]


def save(name: str, array: np.ndarray) -> None:
    (OUT / f"{name}.bin").write_bytes(np.ascontiguousarray(array).tobytes())


def finite_f16(rng: np.random.Generator, n: int) -> np.ndarray:
    """Half of them of any exponent, half of the size that real scales have."""
    bits = rng.integers(0, 0x7C00, n, dtype=np.uint16) | (rng.integers(0, 2, n, dtype=np.uint16) << 15)
    usual = rng.normal(0, 0.01, n).astype(np.float16).view(np.uint16)
    return np.where(rng.integers(0, 2, n) == 1, bits, usual)


def blocks_of(rng: np.random.Generator, name: str) -> np.ndarray:
    block, size = GGML_QUANT_SIZES[Type[name]]
    n = max(WEIGHTS_PER_FORMAT // block, 2 * len(EXTREME_F16))
    blocks = rng.integers(0, 256, (n, size), dtype=np.uint8)
    for position, offset in enumerate(F16_FIELDS[name]):
        scales = finite_f16(rng, n)
        extremes = np.roll(np.array(EXTREME_F16, dtype=np.uint16), 5 * position)
        scales[: len(extremes)] = extremes
        blocks[:, offset : offset + 2] = scales.view(np.uint8).reshape(n, 2)
    if name == "MXFP4":
        blocks[:6, 0] = [0, 1, 2, 127, 254, 255]
    return blocks


def rng_for(number: int) -> np.random.Generator:
    """Every format draws from its own stream, so that a new one leaves the others' files as they are."""
    return np.random.default_rng([20240607, number])


def gguf_formats() -> None:
    for name in F16_FIELDS:
        blocks = blocks_of(rng_for(Type[name].value), name)
        with np.errstate(over="ignore"):  # MXFP4 with e > 252
            decoded = dequantize(blocks, Type[name])
        save(f"{name.lower()}.blocks", blocks)
        save(f"{name.lower()}.decoded", decoded.astype(np.float32))
    rng = rng_for(Type.F32.value)
    f32 = np.concatenate([rng.normal(0, 1, 60), [0.0, -0.0, 1e-45, 3.4e38]]).astype(np.float32)
    save("f32.blocks", f32)
    save("f32.decoded", f32)
    rng = rng_for(Type.BF16.value)
    bf16 = rng.integers(0, 0x7F80, 1024, dtype=np.uint16) | (rng.integers(0, 2, 1024, dtype=np.uint16) << 15)
    save("bf16.blocks", bf16)
    save("bf16.decoded", dequantize(bf16.view(np.uint8), Type.BF16))


def weights(rng: np.random.Generator) -> np.ndarray:
    """What an encoder meets: usual weights, and blocks of 32 that are awkward in one way each."""
    ramp = np.arange(32, dtype=np.float32)
    awkward = [
        np.zeros(32),
        np.full(32, 0.37),
        np.full(32, -0.37),
        np.where(ramp == 17, 3.0, 0.0),  # one outlier
        np.where(ramp % 2 == 0, 1.0, -1.0),  # largest magnitude with both signs, the positive one first
        np.where(ramp % 2 == 0, -1.0, 1.0),
        np.where(ramp == 0, 127.0, ramp + 0.5),  # halfway between the codes of Q8_0
        np.where(ramp == 0, -127.0, -ramp - 0.5),
        np.where(ramp == 0, -8.0, ramp / 4 - 3.5),  # halfway between the codes of Q4_0
        ramp / 2,  # halfway between the codes of Q4_1
        rng.normal(0, 1e-6, 32),  # subnormal f16 scales
        rng.normal(0, 1e-9, 32),  # f16 scales that are rounded to zero
        rng.uniform(-65504, 65504, 32),
        rng.uniform(1, 2, 32),
        rng.uniform(-2, -1, 32),
        np.where(ramp == 3, -0.0, 0.0),
    ]
    usual = np.concatenate([rng.normal(0, 0.02, 1024), rng.laplace(0, 0.02, 512)])
    return np.concatenate([usual, *awkward]).astype(np.float32)


def encoders() -> None:
    w = weights(rng_for(0x1000))
    save("weights", w)
    for name in ENCODED:
        save(f"{name.lower()}.encoded", quantize(w.reshape(-1, 32), Type[name]))


def pack_words(codes: np.ndarray, order: list[int]) -> np.ndarray:
    """[n, 8 m] codes -> [n, m] i32, nibble i of a word being code order[i] of its eight."""
    groups = codes.reshape(codes.shape[0], -1, 8)[:, :, order].astype(np.uint32)
    words = np.zeros(groups.shape[:2], dtype=np.uint32)
    for i in range(8):
        words |= groups[:, :, i] << np.uint32(4 * i)
    return words


def awq_layer(rng: np.random.Generator, prefix: str, rows: int, cols: int, group: int) -> None:
    """One layer in AutoAWQ's packings: GEMM packs output channels interleaved, GEMV input channels in order."""
    n_groups = cols // group
    codes = rng.integers(0, 16, (rows, cols))
    zeros = rng.integers(0, 16, (rows, n_groups))
    scales = finite_f16(rng, rows * n_groups).view(np.float16).reshape(rows, n_groups)
    per_weight = np.arange(cols) // group
    decoded = scales.astype(np.float32)[:, per_weight] * (codes - zeros[:, per_weight]).astype(np.float32)
    save(f"{prefix}.decoded", decoded)
    interleaved = [0, 2, 4, 6, 1, 3, 5, 7]
    save(f"{prefix}_gemm.qweight", pack_words(codes.T, interleaved))
    save(f"{prefix}_gemm.qzeros", pack_words(zeros.T, interleaved))
    save(f"{prefix}_gemm.scales", scales.T)
    padded = (n_groups + 7) // 8 * 8
    padded_zeros = np.zeros((rows, padded), dtype=np.int64)
    padded_zeros[:, :n_groups] = zeros
    padded_scales = np.zeros((rows, padded), dtype=np.float16)
    padded_scales[:, :n_groups] = scales
    save(f"{prefix}_gemv.qweight", pack_words(codes, list(range(8))))
    save(f"{prefix}_gemv.qzeros", pack_words(padded_zeros, list(range(8))))
    save(f"{prefix}_gemv.scales", padded_scales)


def own_formats() -> None:
    rng = rng_for(0x100)
    n = 24
    blocks = np.zeros((n, 68), dtype=np.uint8)
    codes = rng.integers(0, 16, (n, 128)).astype(np.uint8)
    zeros = rng.integers(0, 16, n).astype(np.uint8)
    scales = finite_f16(rng, n)
    scales[: len(EXTREME_F16)] = EXTREME_F16
    blocks[:, 0:2] = scales.view(np.uint8).reshape(n, 2)
    blocks[:, 2] = zeros
    blocks[:, 4:] = codes[:, :64] | codes[:, 64:] << 4
    save("awq.blocks", blocks)
    q = codes.astype(np.float32) - zeros.astype(np.float32)[:, None]
    save("awq.decoded", scales.view(np.float16).astype(np.float32)[:, None] * q)

    awq_layer(rng, "awq_g128", rows=16, cols=1152, group=128)  # 9 groups: GEMV pads them to 16
    awq_layer(rng, "awq_row", rows=8, cols=256, group=256)

    rng = rng_for(0x101)
    scale = np.array([0.0123], dtype=np.float32)
    q8 = rng.integers(-128, 128, 333).astype(np.int8)  # 3 bytes of padding
    save("int8.blocks", np.frombuffer(scale.tobytes() + q8.tobytes() + bytes(3), dtype=np.uint8))
    save("int8.decoded", scale * q8.astype(np.float32))


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    gguf_formats()
    encoders()
    own_formats()


if __name__ == "__main__":
    main()
