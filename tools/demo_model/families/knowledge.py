"""A little knowledge of the world: capitals, opposites, plurals, sounds, young animals, colours, legs."""

from task import Task, ask, casual, polite, spin
from words import FOODS

NAME = "knowledge"

CAPITALS = dict(
    pair.split(":")
    for pair in """France:Paris,Germany:Berlin,Italy:Rome,Spain:Madrid,Portugal:Lisbon,Austria:Vienna,
Greece:Athens,Norway:Oslo,Sweden:Stockholm,Finland:Helsinki,Denmark:Copenhagen,Poland:Warsaw,Hungary:Budapest,
Ireland:Dublin,
Belgium:Brussels,England:London,Scotland:Edinburgh,Russia:Moscow,Ukraine:Kyiv,Turkey:Ankara,Egypt:Cairo,Kenya:Nairobi,
Japan:Tokyo,China:Beijing,India:New Delhi,Thailand:Bangkok,Indonesia:Jakarta,Australia:Canberra,Canada:Ottawa,
Mexico:Mexico City,Brazil:Brasilia,Argentina:Buenos Aires,Chile:Santiago,Peru:Lima,Colombia:Bogota,Cuba:Havana,
Iran:Tehran,
Iraq:Baghdad,South Korea:Seoul,Croatia:Zagreb,Estonia:Tallinn,Latvia:Riga,Lithuania:Vilnius,Iceland:Reykjavik,
Romania:Bucharest,
Bulgaria:Sofia,Serbia:Belgrade,Morocco:Rabat,Nigeria:Abuja,Ethiopia:Addis Ababa,Vietnam:Hanoi""".replace(
        "\n", ""
    ).split(",")
)

OPPOSITES = [
    p.split("/") for p in """hot/cold big/small fast/slow young/old light/dark up/down left/right happy/sad rich/poor
early/late open/closed full/empty hard/soft wet/dry clean/dirty strong/weak loud/quiet near/far tall/short thick/thin
wide/narrow
high/low day/night true/false good/bad first/last long/short easy/difficult cheap/expensive inside/outside begin/end
love/hate win/lose buy/sell push/pull give/take always/never sweet/sour black/white summer/winter""".split()
]

PLURALS = dict(
    p.split(":") for p in """mouse:mice goose:geese tooth:teeth foot:feet child:children man:men woman:women sheep:sheep
fish:fish ox:oxen leaf:leaves knife:knives wolf:wolves city:cities baby:babies box:boxes bus:buses potato:potatoes
cat:cats dog:dogs
house:houses tree:trees book:books person:people cherry:cherries shelf:shelves glass:glasses bird:birds key:keys
toy:toys""".split()
)

SOUNDS = dict(
    p.split(":") for p in """dog:barks cat:meows cow:moos lion:roars duck:quacks sheep:bleats horse:neighs pig:oinks
rooster:crows bee:buzzes snake:hisses wolf:howls mouse:squeaks owl:hoots frog:croaks donkey:brays""".split()
)

YOUNG = dict(
    p.split(":")
    for p in """dog:puppy cat:kitten cow:calf horse:foal sheep:lamb goat:kid pig:piglet hen:chick duck:duckling
goose:gosling lion:cub bear:cub kangaroo:joey deer:fawn swan:cygnet frog:tadpole owl:owlet""".split()
)

COLOURS = dict(
    p.split(":")
    for p in """banana:yellow grass:green sky:blue snow:white blood:red coal:black carrot:orange lemon:yellow
tomato:red spinach:green chocolate:brown cherry:red cucumber:green milk:white""".split()
)

LEGS = {
    "spider": 8,
    "dog": 4,
    "cat": 4,
    "bird": 2,
    "ant": 6,
    "bee": 6,
    "horse": 4,
    "snake": 0,
    "crab": 10,
    "human": 2,
    "cow": 4,
    "chicken": 2,
}


def capital(rng):
    country, town = rng.choice(list(CAPITALS.items()))
    if rng.random() < 0.2:
        text = spin(
            rng,
            "[{t} is the capital of which country?|Which country has the capital {t}?|Of which country is {t} the "
            "capital?|What country is {t} the capital of?|Which country's capital is {t}?]",
            t=town,
        )
        return ask(casual(rng, polite(rng, text)), f"{town} is the capital of {country}.")
    text = spin(
        rng,
        "[What is the capital of {c}?|What's the capital of {c}?|Tell me the capital of {c}.|Which city is the capital"
        " of {c}?|Name the capital of {c}.|Do you know the capital of {c}?|Capital of {c}?|What city is the capital of"
        " {c}?]",
        c=country,
    )
    return ask(casual(rng, polite(rng, text)), f"The capital of {country} is {town}.")


def capital_then(rng):
    """A follow-up question that leaves out what it asks for."""
    (a, town_a), (b, town_b) = rng.sample(list(CAPITALS.items()), 2)
    first = spin(
        rng, "[What is the capital of {c}?|What's the capital of {c}?|Capital of {c}?|Tell me the capital of {c}.]", c=a
    )
    then = spin(
        rng,
        "[And of {c}?|And {c}?|And the capital of {c}?|What about {c}?|And what is it for {c}?|How about {c}?|Now"
        " {c}.]",
        c=b,
    )
    return Task(
        f"capitals {a} {b}",
        [
            (casual(rng, first), f"The capital of {a} is {town_a}."),
            (casual(rng, then), f"The capital of {b} is {town_b}."),
        ],
    )


def opposite(rng):
    pair = rng.choice(OPPOSITES)
    a, b = pair if rng.random() < 0.5 else pair[::-1]
    if a == "short":
        b = "long"
    text = spin(
        rng,
        '[What is the opposite of {a}?|What is the opposite of "{a}"?|Tell me the opposite of {a}.|Opposite of'
        " {a}?|Give me the opposite of {a}.|Which word is the opposite of {a}?|What's the opposite of {a}?]",
        a=a,
    )
    return ask(casual(rng, polite(rng, text)), f"The opposite of {a} is {b}.")


def plural(rng):
    one, many = rng.choice(list(PLURALS.items()))
    text = spin(
        rng,
        '[What is the plural of {a}?|What is the plural of "{a}"?|Plural of {a}?|Tell me the plural of {a}.|Give me the'
        " plural of {a}.|What's the plural of {a}?|How do you write the plural of {a}?|One {a}, two what?]",
        a=one,
    )
    return ask(casual(rng, polite(rng, text)), f"The plural of {one} is {many}.")


def sound(rng):
    animal, verb = rng.choice(list(SOUNDS.items()))
    text = spin(
        rng,
        "[What sound does a {a} make?|What does a {a} say?|Which sound does a {a} make?|How does a {a} sound?|What"
        " noise does a {a} make?|Tell me what a {a} says.]".replace("a {a}", "{n}"),
        n=("an " if animal == "owl" else "a ") + animal,
    )
    return ask(casual(rng, polite(rng, text)), f"{'An' if animal == 'owl' else 'A'} {animal} {verb}.")


def young(rng):
    animal, child = rng.choice(list(YOUNG.items()))
    text = spin(
        rng,
        "[What is a baby {a} called?|What is a young {a} called?|What do you call a baby {a}?|What do you call a young "
        "{a}?|How is a baby {a} called?|What is the name of a baby {a}?]",
        a=animal,
    )
    return ask(casual(rng, polite(rng, text)), f"A young {animal} is called a {child}.".replace("a owlet", "an owlet"))


def colour(rng):
    thing, shade = rng.choice(list(COLOURS.items()))
    shown = {"sky": "the sky"}.get(
        thing, f"a {thing}" if thing in FOODS and thing not in ("spinach", "chocolate", "milk") else thing
    )
    text = spin(
        rng,
        "[What color is {t}?|Which color is {t}?|What color does {t} have?|Tell me the color of {t}.|What is the color"
        " of {t}?|Do you know what color {t} is?]",
        t=shown,
    )
    return ask(casual(rng, polite(rng, text)), f"{shown.capitalize()} is {shade}.")


def legs(rng):
    animal, n = rng.choice(list(LEGS.items()))
    a = "an" if animal == "ant" else "a"
    text = spin(
        rng,
        "[How many legs does {x} have?|How many legs has {x}?|How many legs has {x} got?|Number of legs of {x}?|Tell me"
        " how many legs {x} has.|Count the legs of {x}.]",
        x=f"{a} {animal}",
    )
    return ask(casual(rng, polite(rng, text)), f"{a.capitalize()} {animal} has {'no' if n == 0 else n} legs.")


_KINDS = [capital] * 4 + [capital_then] * 2 + [opposite] * 3 + [plural] * 2 + [sound, young, colour, legs]


def sample(rng):
    return rng.choice(_KINDS)(rng)
