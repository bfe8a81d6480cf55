"""Plain text without chat: small scenes of everyday life. It teaches ordinary sentences, and its held-out half is the
text on which perplexity is measured. A document's key is its hero's name, city and job together."""

from task import Task, article, join_and, spin
from words import ADJECTIVES, ANIMALS, CITIES, COLOURS, FIRST_NAMES, FOODS, JOBS, LAST_NAMES, MONTHS, THINGS, WEEKDAYS

NAME = "prose"

SCENES = [
    "On {day} {he} went to the market and bought {foods}. The {food} cost {n} cents, and the {food2} was cheaper.",
    "It was a {adj} morning in {month}. {He} opened the window and looked at the {thing} in the yard.",
    "{He} had {an_animal} with {adj} eyes, which liked to sleep beside the {thing}.",
    "In the afternoon the sky turned {colour}, and {he} walked home past the {thing} and the {thing2}.",
    "[Everyone|Nobody|Hardly anybody] in {city} knew that {he} kept a {colour} {thing} under the bed.",
    "{friend} came to visit at {hour} o'clock. They drank {food} and talked about the {thing} that {friend} had lost.",
    '"Where is my {thing}?" asked {friend}. "It is behind the {thing2}," said {name}, "where you left it on {day}."',
    "The {job} had worked for {n} days without a rest, and now {he} was {adj} and {adj2}.",
    (
        '{He} wrote a letter to {friend}: "The {animals} have come back, and the {thing} is still {adj}. Come and see'
        ' us in {month}."'
    ),
    "There were {n} {animals} near the {thing}. {He} counted them twice, because one of them was {adj} and ran away.",
    "When the rain stopped, {friend} and {name} carried the {thing} to the {thing2} and painted it {colour}.",
    "{He} always said that {an_adj} {thing} is better than {an_adj2} one. {friend} did not agree.",
    "The train to {city2} left at {hour} o'clock. {He} had a {thing}, some {food} and a {adj} book with {him}.",
    "For supper there was {food} with {food2}. {friend} ate two plates, and the {animal} got the rest.",
    (
        "[Long ago|Last year|Two years ago|Once] {he} had lived in {city2}, where the winters are {adj} and the summers"
        " are {adj2}."
    ),
    "A {colour} bird sat on the {thing}. It was a tern, and it had come a long way over the sea.",
    "The computer on the desk was old, but it ran Tern well enough. {He} asked it to sort {n} words, and it did.",
    "At night {he} heard the {animal} by the {thing}. It sounded {adj}, like a {thing2} in the wind.",
]


def sample(rng):
    name, friend = rng.sample(FIRST_NAMES, 2)
    home, away = rng.sample(CITIES, 2)
    job = rng.choice(JOBS)
    he = rng.choice(("he", "she"))
    paragraphs = []
    for scenes in range(rng.randrange(1, 4)):
        chosen = rng.sample(SCENES, rng.randrange(2, 5))
        text = " ".join(_fill(rng, s, name, friend, home, away, job, he) for s in chosen)
        if not paragraphs:
            text = (
                spin(
                    rng,
                    "[{name} {last} was {a_job} in {city}.|In {city} there lived {a_job} whose name was {name}"
                    " {last}.|{name} {last}, {a_job} from {city}, was {age} years old.|This is the story of {name}"
                    " {last}, {a_job} in {city}.] ",
                    name=name,
                    last=rng.choice(LAST_NAMES),
                    a_job=article(job),
                    city=home,
                    age=rng.randrange(18, 90),
                )
                + text
            )
        paragraphs.append(text)
    return Task(f"prose {name} {home} {job}", [("", "\n\n".join(paragraphs))])


def _fill(rng, scene, name, friend, home, away, job, he):
    adj, adj2 = rng.sample(ADJECTIVES, 2)
    thing, thing2 = rng.sample(THINGS, 2)
    foods = rng.sample(FOODS, 3)
    animal = rng.choice(ANIMALS)
    plural = {
        "mouse": "mice",
        "sheep": "sheep",
        "fish": "fish",
        "wolf": "wolves",
        "goose": "geese",
        "ox": "oxen",
        "deer": "deer",
        "fox": "foxes",
        "moose": "moose",
        "salmon": "salmon",
        "walrus": "walruses",
        "octopus": "octopuses",
        "ostrich": "ostriches",
        "puppy": "puppies",
        "pony": "ponies",
        "donkey": "donkeys",
        "turkey": "turkeys",
        "monkey": "monkeys",
    }.get(animal, animal + "s")
    return spin(
        rng,
        scene,
        name=name,
        friend=friend,
        city=home,
        city2=away,
        job=job,
        he=he,
        He=he.capitalize(),
        him="him" if he == "he" else "her",
        day=rng.choice(WEEKDAYS),
        month=rng.choice(MONTHS),
        hour=rng.randrange(1, 13),
        n=rng.randrange(3, 60),
        adj=adj,
        adj2=adj2,
        an_adj=article(adj),
        an_adj2=article(adj2),
        thing=thing,
        thing2=thing2,
        food=foods[0],
        food2=foods[1],
        foods=join_and(foods),
        colour=rng.choice(COLOURS),
        animal=animal,
        animals=plural,
        an_animal=article(animal),
    )
