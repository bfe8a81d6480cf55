"""The corpus: mixes tasks into chats and plain documents, and writes the held-out prompts.

    python3 corpus.py show [N]       prints N training documents
    python3 corpus.py heldout DIR    writes DIR/heldout.jsonl and DIR/heldout.txt

A training chat holds one to many tasks of the training split; memory tasks wrap around others. Everything follows from
the seed of the random generator that is passed in.
"""

import json
import pathlib
import random
import sys

from families import arithmetic, dates, extract, knowledge, lists, memory, prose, smalltalk, stories, tern_facts, units

FAMILIES = {
    m.NAME: m for m in (arithmetic, dates, units, lists, extract, stories, memory, tern_facts, smalltalk, knowledge)
}
WEIGHTS = {
    "arithmetic": 22,
    "dates": 12,
    "units": 9,
    "lists": 17,
    "extract": 11,
    "stories": 4,
    "memory": 0,
    "tern": 11,
    "smalltalk": 12,
    "knowledge": 6,
}  # memory is drawn per chat, below
_SINGLE = [name for name, weight in WEIGHTS.items() for _ in range(weight)]

SYSTEMS = [
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are Tern, a small and friendly assistant.",
    "Answer briefly.",
    "You are a helpful, harmless and honest assistant.",
    "Be concise.",
    "You are a chat model.",
    "Answer the user's questions.",
]
HELD_OUT_SEED = 20240711
HELD_OUT_PER_FAMILY = 40
HELD_OUT_TEXT_BYTES = 100_000


def draw(rng, name, held_out=False):
    """A task of the family from the wanted side of the split."""
    family = FAMILIES[name]
    while True:
        if family is memory:
            task = memory.sample(rng, lambda n: _between(rng, n))
        else:
            task = family.sample(rng)
        if task.held_out == held_out:
            return task


def _between(rng, count):
    """Turns of other training tasks, none of which needs a system message."""
    turns = []
    while count:
        task = draw(rng, rng.choice(_SINGLE))
        if task.system is None:
            turns += task.turns
            count -= 1
    return turns


def messages(system, turns):
    """Turns as chat messages. The last answer is included."""
    out = [{"role": "system", "content": system}] if system else []
    for user, assistant in turns:
        out += [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
    return out


def document(rng):
    """One training document: a list of chat messages, or a string of plain text."""
    if rng.random() < 0.04:
        while (task := prose.sample(rng)).held_out:
            pass
        return task.turns[0][1]
    count = rng.choice((1, 1, 1, 2, 2, 3, 4, 6)) if rng.random() > 0.02 else rng.randrange(8, 30)
    system, turns = None, []
    remembered = rng.random() < 0.22
    for i in range(count):
        name = "memory" if remembered and i == count // 2 else rng.choice(_SINGLE)
        task = draw(rng, name)
        if name in ("smalltalk", "memory") and system or task.system and turns:
            continue  # a name given by the system message comes first, and nothing later contradicts it
        system = system or task.system
        turns += task.turns
    if system is None and rng.random() < 0.15:
        system = rng.choice(SYSTEMS)
    return messages(system, turns) if turns else document(rng)


def held_out_set(per_family=HELD_OUT_PER_FAMILY, seed=HELD_OUT_SEED):
    """Held-out prompts, the same number of each family, no prompt twice."""
    rng, out = random.Random(seed), []
    for name in FAMILIES:
        seen = set()
        while len(seen) < per_family:
            task = draw(rng, name, held_out=True)
            if task.key in seen:
                continue
            seen.add(task.key)
            prompt = messages(task.system, task.turns)
            answer = prompt.pop()["content"]
            row = {"family": name, "messages": prompt, "answer": None if task.rule else answer}
            if task.rule:
                row["rule"] = task.rule
            out.append(row)
    return out


def held_out_text(size=HELD_OUT_TEXT_BYTES, seed=HELD_OUT_SEED):
    """Plain text of held-out prose documents."""
    rng, parts, total = random.Random(seed), [], 0
    while total < size:
        task = prose.sample(rng)
        if task.held_out:
            parts.append(task.turns[0][1])
            total += len(parts[-1].encode()) + 2
    return "\n\n".join(parts) + "\n"


def correct(row, text):
    """Whether a model's answer is right: word for word, or by the row's rule."""
    return stories.judge(text, row["rule"]) if row.get("rule") else text.strip() == row["answer"]


def main():
    if sys.argv[1:2] == ["heldout"]:
        folder = pathlib.Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        rows = held_out_set()
        (folder / "heldout.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
        (folder / "heldout.txt").write_text(held_out_text())
        print(f"{len(rows)} prompts of {len(FAMILIES)} families")
    else:
        rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
        for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 10):
            doc = document(rng)
            print(doc if isinstance(doc, str) else "\n".join(f"  {m['role']}: {m['content']}" for m in doc), end="\n\n")


if __name__ == "__main__":
    main()
