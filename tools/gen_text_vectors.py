#!/usr/bin/env python3
"""Ids by other people's tokenizers (tests/data/text/).

gen_text_vectors.py tokenizers      hf_*.json: small tokenizers trained by `tokenizers` (PyPI), with their ids
gen_text_vectors.py tiktoken VOCAB  tiktoken_vectors.json: ids by `tiktoken` (PyPI) with Llama 3's expression and the
                                    vocabulary that gen_text_vectors.mjs extracts
"""

import json
import pathlib
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "tests/data/text"


LLAMA3_REGEX = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_REGEX = LLAMA3_REGEX.replace(r"\p{N}{1,3}", r"\p{N}")

TEXTS = [
    "",
    " ",
    "  ",
    "\n",
    " \n ",
    "a",
    "The terns fly south, don't they?",
    "IT'S WE'LL 'S 's 'x ''s",
    "x'\u017f y'\u017f",
    "'\u212a",
    "12345 1 22 333 ٣٤٥٦ ½²",
    "tabs\tand\t\tmore",
    "a\u0085b\u0085\u0085 c",
    "a\ufeffb \ufeff c",
    "a\u00a0b\u00a0\u00a0c",
    "\u3000\u3000x",
    "line\r\nline\r\n\r\nx",
    "  lead",
    "trail  ",
    "é e\u0301 \u1e9b\u0323 ﬁ Å A\u030a 각 \u1100\u1161\u11a8",
    "中文 日本語 한국어",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "👩‍👩‍👧‍👦 👍🏽",
    "<|end|>",
    "a<|end|>b <|start|>",
    "<tool>x</tool>",
    "\u200b\u200d\u00ad",
    "snake_case camelCase",
    "$9.99 (50%) #1 @x",
    "...!!!\n\n",
    "!!! \r\n x",
    "ꟲ \U0001df00 \U00010d4a",
    "\u1c80\u1c89 \ua7cb",
    "\x00\x01\x7f",
    "\u2028\u2029",
    "K\u0308o\u0308",
    "Ⅷ ⑨ 〇",
]


def tokenizers():
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    corpus = [
        (DATA / "templates" / "tools.jinja").read_text(encoding="utf-8"),
        (DATA / "template_sources.json").read_text(encoding="utf-8"),
    ] + TEXTS * 3
    kinds = {
        "llama3": pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(LLAMA3_REGEX), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        ),
        "qwen2": pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(QWEN2_REGEX), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        ),
        "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    }
    for name, pre in kinds.items():
        tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
        tokenizer.pre_tokenizer = pre
        tokenizer.decoder = decoders.ByteLevel()
        if name == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        trainer = trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=["<|start|>", "<|end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(corpus, trainer)
        tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("<tool></tool>", normalized=False)])
        if name == "llama3":
            tokenizer.post_processor = processors.Sequence(
                [
                    processors.ByteLevel(trim_offsets=False),
                    processors.TemplateProcessing(single="<|start|> $A", special_tokens=[("<|start|>", 0)]),
                ]
            )
        saved = json.loads(tokenizer.to_str())
        vectors = [[text, tokenizer.encode(text).ids] for text in TEXTS + corpus[:1]]
        rows = [
            f'"tokenizer": {json.dumps(saved, ensure_ascii=False)}',
            '"vectors": [\n' + ",\n".join(json.dumps(v, ensure_ascii=False) for v in vectors) + "\n]",
        ]
        (DATA / f"hf_{name}.json").write_text("{" + ",\n".join(rows) + "}\n", encoding="utf-8")
        print(f"hf_{name}.json: {len(vectors)} texts")


def tiktoken_vectors(path):
    import tiktoken

    # GPT-2's alphabet: printable Latin-1 bytes as themselves, the others from U+0100 on.
    visible = [b for b in range(256) if 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or b >= 0xAE]
    hidden = [b for b in range(256) if b not in visible]
    to_byte = {chr(b): b for b in visible} | {chr(0x100 + i): b for i, b in enumerate(hidden)}
    tokens = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["tokens"]
    ranks = {bytes(to_byte[c] for c in token): i for i, token in enumerate(tokens[:128000])}
    encoding = tiktoken.Encoding("llama3", pat_str=LLAMA3_REGEX, mergeable_ranks=ranks, special_tokens={})
    write("tiktoken_vectors.json", [[text, encoding.encode(text, disallowed_special=())] for text in TEXTS])


def write(name, rows):
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (DATA / name).write_text(f"[\n{text}\n]\n", encoding="utf-8")
    print(f"{name}: {len(rows)} rows")


def main():
    commands = {"tokenizers": tokenizers, "tiktoken": tiktoken_vectors}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
