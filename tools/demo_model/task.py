"""What every task family shares: the Task type, the train/held-out split, and templates with alternatives.

A Task belongs to the held-out set or to the training set by a hash of its key alone, so the two sets are disjoint by
construction, whatever the seed. The key names the *problem* where problems are many ("123+456": no phrasing of it is
trained) and the normalised prompt where they are few ("capital of France": other phrasings are trained).
"""

import functools
import re
import zlib
from dataclasses import dataclass, field

HELD_OUT_PERCENT = 5


@dataclass(slots=True)
class Task:
    """One exercise. `turns` are (user, assistant) pairs; the last pair is the one that is scored."""

    key: str
    turns: list
    system: str | None = None
    pinned: bool = False  # core prompts such as "Hello!" are always trained
    rule: dict | None = field(default=None)  # judged by a rule instead of word for word (stories)

    @property
    def held_out(self):
        return not self.pinned and zlib.crc32(self.key.encode()) % 100 < HELD_OUT_PERCENT


def ask(prompt, answer, key=None, **kw):
    """A task of one turn. Without a key the normalised prompt is the key."""
    return Task(key or normalise(prompt), [(prompt, answer)], **kw)


def normalise(text):
    """Lower case, no punctuation: prompts that differ in nothing else are the same prompt."""
    return re.sub(r"[^a-z0-9 ]+", "", text.lower()).strip()


@functools.lru_cache(maxsize=None)
def _parse(template):
    parts = []
    for piece in re.split(r"(\[[^\[\]]*\])", template):
        if piece.startswith("["):
            parts.append(tuple(piece[1:-1].split("|")))
        elif piece:
            parts.append((piece,))
    return parts


def spin(rng, template, **values):
    """Fills a template: "[What is|What's] {x}?" chooses one of the alternatives, then inserts the values."""
    text = "".join(p[0] if len(p) == 1 else rng.choice(p) for p in _parse(template))
    return text.format_map(values) if values else text


def casual(rng, text):
    """Sometimes writes the prompt as people type: a small first letter, no final mark. Never changes a name inside."""
    roll = rng.random()
    if roll < 0.10:
        text = text[0].lower() + text[1:]
    elif roll < 0.16:
        text = text.rstrip("?.!")
    elif roll < 0.24:
        text = (text[0].lower() + text[1:]).rstrip("?.!")
    return text


POLITE_BEFORE = (
    "Please tell me: ",
    "Quick question: ",
    "I have a question. ",
    "Hey Tern, ",
    "Tern, ",
    "Hi! ",
    "Okay. ",
    "Next question. ",
    "Now ",
    "Hey, ",
    "One more: ",
    "I would like to know: ",
    "So, ",
    "Help me please. ",
)
POLITE_AFTER = (" Thanks!", " Thank you.", " Please answer.", " Please.", " I want to know.", " I am curious.")


def polite(rng, text):
    """Sometimes wraps a question in the small words people add."""
    roll = rng.random()
    if roll < 0.12:
        before = rng.choice(POLITE_BEFORE)
        keep = before[-2] in ".:!" or text[:2] == "I "
        text = before + (text if keep else text[0].lower() + text[1:])
    elif roll < 0.18:
        text = text + rng.choice(POLITE_AFTER)
    return text


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def join_and(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
