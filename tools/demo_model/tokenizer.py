"""Trains the byte-level BPE of the demo model and writes it the way Hugging Face does.

    python3 tokenizer.py OUT_DIR      -> tokenizer.json, tokenizer_config.json, chat_template.jinja

4096 tokens: 256 bytes, merges, and Llama 3's five special tokens at the end, as in Llama 3. The text is cut by Llama
3's regular expression. Digits are never merged (training sees each digit alone), so numbers are digit by digit: that is
what lets a small model add. Readers need no special case for it, for there is simply no merge that joins two digits.
"""

import json
import pathlib
import random
import sys

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import corpus
from chat import BOS, CHAT_TEMPLATE, EOT, SPECIALS

VOCAB_SIZE = 4096
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TRAIN_DOCUMENTS = 60_000
SEED = 20240711
CONTEXT = 2048


def pre_tokenizer(split_digits):
    steps = [
        pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return pre_tokenizers.Sequence(([pre_tokenizers.Digits(individual_digits=True)] if split_digits else []) + steps)


def texts():
    """The text of training documents without the template's markup."""
    rng = random.Random(SEED)
    for _ in range(TRAIN_DOCUMENTS):
        doc = corpus.document(rng)
        yield doc if isinstance(doc, str) else "\n".join(m["content"] for m in doc)
    yield "\n".join(["system", "user", "assistant", "\n\n"] * 1000)


def train():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizer(split_digits=True)
    tokenizer.train_from_iterator(
        texts(),
        trainers.BpeTrainer(
            vocab_size=VOCAB_SIZE - len(SPECIALS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.pre_tokenizer = pre_tokenizer(split_digits=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    assert tokenizer.get_vocab_size() == VOCAB_SIZE, tokenizer.get_vocab_size()
    return tokenizer


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = train()
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (out / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": BOS,
                "eos_token": EOT,
                "clean_up_tokenization_spaces": False,
                "model_max_length": CONTEXT,
                "model_input_names": ["input_ids", "attention_mask"],
                "chat_template": CHAT_TEMPLATE,
            },
            indent=2,
        )
        + "\n"
    )
    sample = "What is 123 + 456? Hello, what is Tern?"
    print(tokenizer.encode(sample).tokens)


if __name__ == "__main__":
    main()
