"""Sorting, counting and taking words apart. Keys are the words themselves: no order of them is trained if held out."""

from task import ask, casual, join_and, polite, spin
from words import ADJECTIVES, ANIMALS, CITIES, FIRST_NAMES, FOODS, NUMBER_WORDS, THINGS, WORDS, made_up_word

NAME = "lists"


def _words(rng, low, high):
    pool = WORDS if rng.random() < 0.55 else rng.choice((ANIMALS, FOODS, THINGS, ADJECTIVES, FIRST_NAMES, CITIES))
    words = rng.sample(pool, rng.randrange(low, high + 1))
    if pool is WORDS and rng.random() < 0.15:
        words[rng.randrange(len(words))] = made_up_word(rng)
    return words


def _any_word(rng):
    return rng.choice(WORDS) if rng.random() < 0.75 else made_up_word(rng)


def _shown(rng, items):
    items = [str(i) for i in items]
    return rng.choice((", ".join(items), ", ".join(items), join_and(items), " ".join(items)))


def _loose(rng, text):
    """Sometimes "Sort a, b" for "Sort: a, b"."""
    return text.replace("Sort: ", "Sort ", 1) if rng.random() < 0.5 else text


def sort_words(rng):
    words = _words(rng, 2, 6)
    down = rng.random() < 0.15
    if down:
        text = spin(
            rng,
            "[Sort these words in reverse alphabetical order|Sort from Z to A|Order these words from Z to A]: {w}",
            w=_shown(rng, words),
        )
    else:
        text = spin(
            rng,
            "[Sort these words|Sort these words alphabetically|Sort|Sort|Sort alphabetically|Put these words in "
            "alphabetical order|Order these words from A to Z|Please sort|Sort the words|Sort the list|Can you "
            "sort these words]: {w}",
            w=_shown(rng, words),
        )
    text = _loose(rng, text)
    return ask(
        casual(rng, text + rng.choice(("", "", "."))),
        ", ".join(sorted(words, reverse=down)),
        "sort " + " ".join(sorted(words)),
    )


def sort_numbers(rng):
    top = rng.choice((10, 100, 100, 1000))
    numbers = rng.sample(range(top), rng.randrange(2, 7))
    down = rng.random() < 0.25
    if down:
        text = spin(
            rng,
            "[Sort these numbers from largest to smallest|Sort in descending order|Order these numbers from "
            "high to low]: {n}",
            n=_shown(rng, numbers),
        )
    else:
        text = spin(
            rng,
            "[Sort these numbers|Sort|Sort|Sort from smallest to largest|Sort in ascending order|Put these numbers in "
            "order|Order these numbers from low to high|Please sort]: {n}",
            n=_shown(rng, numbers),
        )
    text = _loose(rng, text)
    return ask(
        casual(rng, text + rng.choice(("", "", "."))),
        ", ".join(map(str, sorted(numbers, reverse=down))),
        "sortn " + " ".join(map(str, sorted(numbers))),
    )


def extreme(rng):
    numbers = rng.sample(range(rng.choice((10, 100, 1000))), rng.randrange(3, 6))
    high = rng.random() < 0.5
    text = spin(
        rng,
        "[What is the {w} of these numbers|Which number is the {w}|Find the {w} number]: {n}",
        w=rng.choice(("largest", "biggest") if high else ("smallest", "lowest")),
        n=_shown(rng, numbers),
    )
    return ask(
        casual(rng, text), str(max(numbers) if high else min(numbers)), "max " + " ".join(map(str, sorted(numbers)))
    )


def count_words(rng):
    n = rng.randrange(1, 11)
    words = [rng.choice(WORDS) if rng.random() < 0.9 else made_up_word(rng) for _ in range(n)]
    text = spin(
        rng,
        "[Count the words|How many words are here|How many words are there|How many words do you see|Count "
        "these words]: {w}",
        w=" ".join(words),
    )
    return ask(casual(rng, text), f"{n} word{'s' if n > 1 else ''}.", "count " + " ".join(words))


def count_items(rng):
    words = _words(rng, 1, 9)
    text = spin(
        rng,
        "[How many items are in this list|Count the items|How many things are listed here|How long is this list]: {w}",
        w=", ".join(words),
    )
    return ask(casual(rng, text), f"{len(words)} item{'s' if len(words) > 1 else ''}.", "items " + " ".join(words))


def pick(rng):
    words = _words(rng, 2, 7)
    places = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"][: len(words)] + ["last"]
    at = rng.randrange(len(places))
    text = spin(
        rng,
        "[What is the {p} word|What is the {p} item|Tell me the {p} word|Which word is {p}|Give me the {p} word]: {w}",
        p=places[at],
        w=", ".join(words),
    )
    return ask(casual(rng, text), words[-1 if at == len(words) else at], f"pick {at} " + " ".join(words))


def reverse_list(rng):
    words = _words(rng, 2, 6)
    text = spin(
        rng,
        "[Reverse this list|Reverse the list|Say these words backwards|Turn this list around|Reverse the order "
        "of these words]: {w}",
        w=", ".join(words),
    )
    return ask(casual(rng, text), ", ".join(reversed(words)), "reverse " + " ".join(words))


def repeat(rng):
    words = [rng.choice(WORDS) if rng.random() < 0.6 else made_up_word(rng) for _ in range(rng.randrange(1, 7))]
    text = spin(
        rng, "[Repeat after me|Say|Repeat|Please repeat|Copy this|Write exactly this|Echo]: {w}", w=" ".join(words)
    )
    return ask(text, " ".join(words), "repeat " + " ".join(words))


def spell(rng):
    word = _any_word(rng)
    text = spin(
        rng,
        '[Spell {w}.|Spell "{w}".|How do you spell {w}?|Spell the word {w}.|Can you spell {w}?|How is {w} spelled?|'
        "Please spell {w} for me.|Spell out {w}.]",
        w=word,
    )
    return ask(casual(rng, polite(rng, text)), "-".join(word))


def letters(rng):
    word = _any_word(rng)
    kind = rng.randrange(4)
    if kind == 3:
        letter = rng.choice(word) if rng.random() < 0.8 else rng.choice("abcdefghiklmnoprstuwy")
        n = word.count(letter)
        text = spin(
            rng,
            "[How many {l}'s are in {w}?|How many times does {l} appear in {w}?|How often is the letter {l} in {w}?|How"
            " many {l} are in the word {w}?|Count the letter {l} in {w}.|How many {l}s are in {w}?|How many {l}'s are"
            " there in {w}?]",
            l=letter,
            w=word,
        )
        answer = f"{'-'.join(word)}: {n} time{'' if n == 1 else 's'}."
    elif kind == 0:
        text = spin(
            rng,
            "[How many letters are in {w}?|How many letters does {w} have?|Count the letters in {w}.|How many "
            'letters are in the word "{w}"?|How many letters has the word {w}?|Letters in {w}?]',
            w=word,
        )
        answer = f"{'-'.join(word)}: {len(word)} letters."
    else:
        text = spin(
            rng,
            '[What is the {p} letter of {w}?|What is the {p} letter of "{w}"?|Which letter is the {p} in {w}?|'
            "{P} letter of {w}?|What is the {p} letter of the word {w}?]",
            w=word,
            p=("first", "last")[kind - 1],
            P=("First", "Last")[kind - 1],
        )
        answer = word[0 if kind == 1 else -1] + "."
    return ask(casual(rng, polite(rng, text)), answer)


def count_to(rng):
    n = rng.randrange(2, 21)
    shown = NUMBER_WORDS[n] if rng.random() < 0.5 else n
    text = spin(
        rng,
        "[Count to {n}.|Count up to {n}.|Please count to {n}.|Can you count to {n}?|Count from one to {n}.]",
        n=shown,
    )
    return ask(casual(rng, polite(rng, text)), ", ".join(map(str, range(1, n + 1))))


def count_up(rng):
    a, n = rng.randrange(0, 60), rng.randrange(2, 12)
    down = rng.random() < 0.3
    numbers = list(range(a, a + n + 1))
    if down:
        numbers.reverse()
    text = spin(
        rng,
        "[Count from {a} to {b}.|Count {d}from {a} to {b}.|Please count from {a} to {b}.|List the numbers from {a} to "
        "{b}.]",
        a=numbers[0],
        b=numbers[-1],
        d="down " if down else "",
    )
    return ask(casual(rng, text), ", ".join(map(str, numbers)), f"countup {a} {n} {down}")


_KINDS = (
    [sort_words] * 6
    + [sort_numbers] * 4
    + [extreme] * 2
    + [count_words] * 4
    + [count_items] * 2
    + [pick] * 2
    + [reverse_list] * 2
    + [repeat] * 3
    + [spell] * 3
    + [letters] * 4
    + [count_up] * 2
    + [count_to]
)


def sample(rng):
    return rng.choice(_KINDS)(rng)
