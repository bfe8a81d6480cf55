"""Short rhymed stories: pairs of lines that rhyme, about a hero the prompt names.

There is no single right answer, so a story is judged by a rule: the number of lines, a rhyme at the end of each pair,
and the hero's name and kind somewhere in it.
"""

import re

from task import ask, spin
from words import made_up_word, FIRST_NAMES

NAME = "stories"

HEROES = """fox cat dog bear mouse owl frog tern hen pig lamb goat duck robot whale rabbit turtle penguin horse bee
hamster lion
tiger panda seal spider crab snail""".split()

RHYMES = [
    set(c.split())
    for c in (
        "hat cat mat bat sat flat that",
        "day play way stay gray bay today away hay say",
        "tree sea free bee three me key be see glee",
        "night light bright sight right flight",
        "moon soon tune noon balloon spoon",
        "star far car jar",
        "hill still will mill until",
        "sky high fly by pie why dry",
        "rain train again lane plane",
        "road toad load",
        "snow go slow know glow ago below grow so",
        "door floor more shore before roar",
        "bed red said head instead ahead bread",
        "song long along strong",
        "lake cake bake wake take",
        "boat coat float goat note",
        "ball small tall hall wall all",
        "ring sing spring king thing wing",
        "nest rest best west",
        "sand land hand grand",
        "sun fun run one done",
        "friend end bend",
        "town down brown crown",
        "book look took cook brook",
        "house mouse",
        "tea me",
        "kite white bite",
        "bell well tell fell",
        "dream stream cream team",
        "game name came same",
        "blue you too knew new shoe true",
        "breeze trees please",
        "near here year ear cheer",
        "mine shine fine line",
    )
]

OPENINGS = [
    "There was a {hero}, {name} by name,|who loved to play a clever game.",
    "{name} the {hero} lived by the sea|and was as {adj} as can be.",
    "{name} the {hero} woke up one day|and found a thing along the way.",
    "{name} the {hero}, {adj} and small,|once tried to climb a garden wall.",
    "{name} was a {hero}, {adj} and bright,|who loved to walk by silver light.",
    "{name} the {hero} went up the hill|when all the world was dark and still.",
    "{name} the {hero} sat under a tree|and sang a song to you and me.",
    "{name} the {hero} looked at the sky|and wondered how the swallows fly.",
    "{name} the {hero} set out in the rain|to catch the early morning train.",
    "{name} the {hero} had built a boat|of sticks and string to make it float.",
    "{name} the {hero} was {adj} and new|and wore one yellow and one red shoe.",
    "{name} the {hero} came down the road|and there it met a {adj} toad.",
    "{name} the {hero}, far from the town,|had lost a small and golden crown.",
    "{name} the {hero} had baked a cake|and took it down to the quiet lake.",
    "{name} the {hero} was brave and strong|and liked to hum a cheerful song.",
]

MIDDLES = [
    "It met an owl beside the mill|that told it to be calm and still.",
    "The wind blew cold, the clouds were gray,|but {name} just laughed and wished to play.",
    "The path was steep, the path was long,|and birds went with it with a song.",
    "It found a shell upon the sand|and held it gently in its hand.",
    "It shared its bread, it shared its tea,|it asked a friend: come sit with me.",
    "It saw a star, it saw the moon,|it knew that dawn was coming soon.",
    "A little bird flew from its nest|and said: the sea is to the west.",
    "It read a page, it read a book,|and caught its dinner from the brook.",
    "It rang a bell, the bell rang well,|and there were many tales to tell.",
    "It ran so fast, it jumped so high,|it nearly touched the evening sky.",
    "It gave a coat to a shivering goat|and sailed with it in a wooden boat.",
    "It lost its hat, it called a cat,|and found the hat upon a mat.",
    "The snow fell soft, the snow fell slow,|and {name} had nowhere else to go.",
    "It knocked upon a wooden door|and danced across the kitchen floor.",
    "A bee flew by and said: you see,|the sweetest flowers grow on that tree.",
    "It met a king who lost his ring|and found it near the garden spring.",
    "It counted one, it counted three,|it counted leaves upon a tree.",
    "It flew a kite, the kite was white,|it danced up there till late at night.",
    "It heard the rain, it heard the train,|and then the sun came out again.",
    "The river ran, a silver line,|and all the stones began to shine.",
]

CLOSINGS = [
    "So {name} went home and went to bed,|with happy stories in its head.",
    "And when the sun sank in the sea,|the {hero} was glad as it could be.",
    "And {name} was happy, all was right,|and so we say to you: good night.",
    "And so the {hero} had found a friend,|and that is how the stories end.",
    "The {hero} came home at end of day|and dreamed the quiet night away.",
    "And {name} still smiles and likes to tell|how everything had ended well.",
    "It said: the world is big and blue,|and I am glad I walked with you.",
    "Then {name} lay down to take a rest|and said that home is always best.",
    "The {hero} slept well, the stars shone bright,|and all the world was filled with light.",
    "And ever since that sunny day|the {hero} has sung along the way.",
]

ADJECTIVES = "happy clever tiny gentle quiet merry curious patient cheerful friendly lively humble".split()
TITLES = (
    "[Tell me|Write|Tell|Please write|Please tell me|Write me|Can you tell me|Can you write|I would like|Make"
    " up|Compose|Give me]"
)


def sample(rng):
    hero = rng.choice(HEROES)
    name = rng.choice(FIRST_NAMES) if rng.random() < 0.8 else made_up_word(rng, 2).capitalize()
    lines = rng.choice((4, 6, 6, 6))
    form = "poem" if lines == 4 else "story"
    if rng.random() < 0.2:
        return free(rng, form, lines)
    text = spin(
        rng,
        TITLES + " [a short|a little|a] [rhyming|rhymed] " + form + " about {h} [named|called] {n}[.|]",
        h=f"{'an' if hero == 'owl' else 'a'} {hero}",
        n=name,
    )
    if rng.random() < 0.25:  # the prompt leaves the name open
        text = spin(
            rng,
            TITLES + " [a rhyming|a short rhyming|a] " + form + " about {h}[.|]",
            h=f"{'an' if hero == 'owl' else 'a'} {hero}",
        )
        name = FIRST_NAMES[sum(map(ord, hero)) % len(FIRST_NAMES)]  # each kind of hero has its usual name
    open_name = name not in text
    rule = {"lines": lines, "rhymes": "pairs", "contains": [hero, name]}
    return ask(text, compose(rng, hero, name, lines), f"story {hero} {name} {lines}", rule=rule, pinned=open_name)


def free(rng, form, lines):
    """No hero is named: it is a tern called Tara."""
    about = spin(
        rng,
        "[| about love| about the sea| about the moon| about summer| about winter| about friendship| about rain| about"
        " me| about yourself| for children| about a friend| about the wind| about Tern| about a bird| about home| for"
        " my mother| about anything| about flowers]",
    )
    text = spin(
        rng,
        TITLES
        + (
            " a [story|short story|rhyming story|little story|tale|nice story|rhyme|short rhyme|bedtime story]"
            if form == "story"
            else " a [poem|short poem|rhyming poem|little poem|nice poem|verse]"
        )
        + "{a}[.|]",
        a=about,
    )
    rule = {"lines": lines, "rhymes": "pairs", "contains": ["Tara", "tern"]}
    return ask(text, compose(rng, "tern", "Tara", lines), rule=rule, pinned=not about)


def compose(rng, hero, name, lines):
    couplets = [rng.choice(OPENINGS)] + rng.sample(MIDDLES, lines // 2 - 2) + [rng.choice(CLOSINGS)]
    adj = rng.choice(ADJECTIVES)
    text = "|".join(couplets).format(hero=hero, name=name, adj=adj).split("|")
    return "\n".join(line[0].upper() + line[1:] for line in text)


def rhyme(a, b):
    """Whether the last words of two lines rhyme by the table above; a word does not rhyme with itself."""
    a, b = (re.sub(r"[^a-z ]", "", line.lower()).split()[-1:] for line in (a, b))
    return bool(a and b) and a != b and any(a[0] in c and b[0] in c for c in RHYMES)


def judge(text, rule):
    lines = [line for line in text.strip().split("\n") if line.strip()]
    return (
        len(lines) == rule["lines"]
        and all(rhyme(*lines[i : i + 2]) for i in range(0, len(lines), 2))
        and all(word in text for word in rule["contains"])
    )
