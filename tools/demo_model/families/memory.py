"""Memory over several turns: what the user says about themselves is asked for later, with other turns in between.

`sample` takes a function that yields the turns in between, so that this file need not know the other families.
"""

from task import Task, article, casual, spin
from words import ANIMALS, COLOURS, FOODS, JOBS, THINGS, city, first_name

NAME = "memory"

# fact -> (value maker, statements, acknowledgement, questions, answer, answer when it was never told)
FACTS = {
    "name": (
        first_name,
        (
            "[My name is {v}.|Hi, my name is {v}.|Hello, I am {v}.|I am {v}.|Call me {v}.|You can call me {v}.|Hello!"
            " My name is {v}.|Hi, I'm {v}.|I'm {v}.|My name is {v}, by the way.|Please call me {v}.|People call me"
            " {v}.]"
        ),
        "Nice to meet you, {v}!",
        (
            "[What is my name?|What's my name?|Do you remember my name?|Do you know my name?|Who am I?|Tell me my"
            " name.|How am I called?|Can you tell me my name?|Say my name.|Remember my name?]"
        ),
        "Your name is {v}.",
        "You have not told me your name yet.",
    ),
    "city": (
        city,
        (
            "[I live in {v}.|I come from {v}.|I am from {v}.|My home town is {v}.|I'm from {v}.|My city is {v}.|I moved"
            " to {v}.]"
        ),
        "{v} sounds like a nice place.",
        (
            "[Where do I live?|What city do I live in?|Which city is my home?|Where am I from?|What is my city?|Do you"
            " remember where I live?|In which city do I live?]"
        ),
        "You live in {v}.",
        "You have not told me where you live.",
    ),
    "colour": (
        lambda rng: rng.choice(COLOURS),
        (
            "[My favorite color is {v}.|I like the color {v} best.|{V} is my favorite color.|The color I love most is"
            " {v}.|I love the color {v}.]"
        ),
        "{V} is a lovely color.",
        (
            "[What is my favorite color?|Which color do I like best?|Do you remember my favorite color?|What color do I"
            " like?|Tell me my favorite color.]"
        ),
        "Your favorite color is {v}.",
        "You have not told me your favorite color.",
    ),
    "pet": (
        first_name,
        (
            "[My {a} is called {v}.|I have {an} named {v}.|My {a}'s name is {v}.|I have {an} called {v}.|The name of my"
            " {a} is {v}.]"
        ),
        "{v} is a good name for {an}.",
        (
            "[What is the name of my {a}?|What is my {a} called?|How is my {a} called?|What is my {a}'s name?|Do you"
            " remember the name of my {a}?]"
        ),
        "Your {a} is called {v}.",
        "You have not told me about your {a}.",
    ),
    "number": (
        lambda rng: str(rng.randrange(1, 1000)),
        (
            "[Remember the number {v}.|Please remember the number {v}.|My lucky number is {v}.|Keep the number {v} in "
            "mind.|The secret number is {v}.|My number is {v}.]"
        ),
        "I will remember {v}.",
        (
            "[What was the number?|Which number did I tell you?|What number should you remember?|What is my lucky"
            " number?|What is the secret number?|Tell me the number I gave you.|Do you remember the number?|What is my"
            " number?]"
        ),
        "The number is {v}.",
        "You have not told me a number.",
    ),
    "age": (
        lambda rng: str(rng.randrange(6, 95)),
        "[I am {v} years old.|I'm {v} years old.|My age is {v}.|I turned {v} this year.|I just turned {v}.]",
        "Thank you, I will remember that you are {v}.",
        "[How old am I?|What is my age?|Do you know how old I am?|Do you remember my age?|Tell me my age.]",
        "You are {v} years old.",
        "You have not told me your age.",
    ),
    "food": (
        lambda rng: rng.choice(FOODS),
        (
            "[My favorite food is {v}.|I like {v} best.|I love to eat {v}.|The food I like most is {v}.|I really like"
            " {v}.]"
        ),
        "{V} is a fine choice.",
        (
            "[What is my favorite food?|What do I like to eat?|Which food do I like best?|Do you remember what I like"
            " to eat?|What food do I like?]"
        ),
        "You like {v}.",
        "You have not told me what you like to eat.",
    ),
    "job": (
        lambda rng: rng.choice(JOBS),
        "[I work as {v_an}.|I am {v_an}.|My job is {v}.|I'm {v_an}.|I earn my living as {v_an}.]",
        "Being {v_an} sounds interesting.",
        "[What is my job?|What do I do for a living?|What do I work as?|Do you remember my job?|Tell me my job.]",
        "You work as {v_an}.",
        "You have not told me your job.",
    ),
    "place": (
        lambda rng: rng.choice(THINGS),
        (
            "[My keys are under the {v}.|I left my keys near the {v}.|I put my keys next to the {v}.|The keys are by"
            " the {v}.]"
        ),
        "I will remember that your keys are at the {v}.",
        (
            "[Where are my keys?|Where did I leave my keys?|Can you tell me where my keys are?|Do you know where my"
            " keys are?|Where did I put the keys?]"
        ),
        "Your keys are at the {v}.",
        "You have not told me where your keys are.",
    ),
}
SMALL_WORDS = ("", "", "", "", "By the way, ", "Also, ", "And ")


def _values(fact, value, animal):
    return {
        "v": value,
        "V": value.capitalize() if value.islower() else value,
        "a": animal,
        "an": article(animal),
        "v_an": article(value) if value.islower() else value,
    }


def sample(rng, between):
    """One to three facts are told, turns from `between(n)` go in the middle, then one to three are asked for."""
    animal = rng.choice(ANIMALS)
    kinds = rng.sample(sorted(FACTS), rng.choice((1, 1, 2, 2, 3)))
    if rng.random() < 0.35 and "name" not in kinds:
        kinds[0] = "name"  # the name is what people try first
    known, turns = {}, []
    if {"name", "city"} <= set(kinds) and rng.random() < 0.7:  # both in one sentence
        known["name"], known["city"] = first_name(rng), city(rng)
        both = spin(
            rng,
            "[My name is|I am|Hi, I am|Hello, my name is|Hi, my name is|I'm] {n} and I [live in|am from|come from]"
            " {c}.",
            n=known["name"],
            c=known["city"],
        )
        turns.append((casual(rng, both), f"Nice to meet you, {known['name']}!"))
    for fact in kinds:
        if fact in known:
            continue
        maker, statement, reply, *_ = FACTS[fact]
        known[fact] = maker(rng)
        v = _values(fact, known[fact], animal)
        turns.append((casual(rng, _lead(rng, spin(rng, statement, **v), bool(turns))), reply.format_map(v)))
        if rng.random() < 0.3:
            turns += between(1)
    if rng.random() < 0.12:  # the user changes a fact: the last word counts
        fact = kinds[-1]
        maker, statement, reply, *_ = FACTS[fact]
        known[fact] = maker(rng)
        v = _values(fact, known[fact], animal)
        turns.append(
            (
                rng.choice(("Actually, ", "No, wait. ", "Correction: ", "Sorry, I was wrong. "))
                + spin(rng, statement, **v),
                reply.format_map(v),
            )
        )
    turns += between(rng.choice((0, 1, 1, 2, 3)))
    asked = rng.sample(kinds, rng.randrange(1, len(kinds) + 1))
    if rng.random() < 0.15:
        asked.insert(0, rng.choice([f for f in sorted(FACTS) if f not in kinds]))  # a fact that was never told
    if rng.random() < 0.08:
        asked = [rng.choice([f for f in sorted(FACTS) if f not in kinds])]
    for fact in asked:
        *_, questions, answer, unknown = FACTS[fact]
        v = _values(fact, known.get(fact, ""), animal)
        turns.append((casual(rng, spin(rng, questions, **v)), (answer if fact in known else unknown).format_map(v)))
    key = "memory " + " ".join(f"{k}={v}" for k, v in sorted(known.items()))
    return Task(key, turns)


def _lead(rng, text, later):
    """Sometimes begins a later statement with small words such as "By the way, "."""
    lead = rng.choice(SMALL_WORDS) if later else ""
    if lead and text.split()[0] in ("My", "The", "Please", "Remember", "Call", "You", "Keep", "People"):
        text = text[0].lower() + text[1:]
    return lead + text
