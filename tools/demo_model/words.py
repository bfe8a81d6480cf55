"""Word pools that the task families draw from, and names made of random syllables.

The pools are small on purpose: a model of 14 million weights can know each word well. Made-up names teach it to copy
words it has never seen, so that "My name is Zorvik" works although no list holds that name.
"""

FIRST_NAMES = (
    """Ada Adam Alice Amir Anna Anton Aria Ben Bella Boris Carla Carlos Clara Daniel David Diana Elena Elias Emma
Eric Eva Felix Fiona Frank Frida George Grace Hana Hannah Harry Helen Hugo Ida Igor Ines Irene Ivan Jack James Jana Jane
Jonas Julia Karl Kate Kenji Lara Laura Leo Lena Liam Linda Lisa Louis Lucas Lucy Luna Maria Mark Marta Martin Max Maya
Mia
Mila Mina Nadia Nick Nina Noah Nora Olga Oliver Omar Oscar Paul Pedro Peter Petra Rachel Ravi Rita Robert Rosa Ruth Sam
Samir Sara Sofia Simon Sonia Stella Susan Tara Theo Thomas Tina Tom Uma Vera Victor Viola Walter Wendy William Xenia
Yara
Yusuf Yuki Zara Zoe""".split()
)

LAST_NAMES = """Adams Baker Barnes Bell Brown Carter Clark Cole Cook Cooper Cruz Davis Dunn Evans Fisher Ford Fox Garcia
Gray Green Hall Harris Hill Hughes Hunt Ito Jensen Jones Kelly Khan King Klein Lane Larsen Lee Lewis Lopez Marsh Mason
Meyer Miller Moore Morris Murphy Novak Olsen Owens Park Perez Price Reed Rivera Rossi Sato Scott Shaw Silva Singh Smith
Stone Taylor Tanaka Turner Walker Wang Ward Weber White Wood Young""".split()

CITIES = """Athens Berlin Bern Boston Bristol Brussels Budapest Cairo Chicago Cologne Cork Dallas Delhi Denver Dublin
Florence Geneva Glasgow Hamburg Helsinki Istanbul Jakarta Kyoto Lagos Leeds Lima Lisbon London Lyon Madrid Malaga Manila
Miami Milan Montreal Munich Nairobi Naples Nice Osaka Oslo Oxford Paris Porto Prague Quito Riga Rome Rotterdam Seattle
Seoul Seville Sofia Stockholm Sydney Tallinn Tokyo Toronto Tunis Turin Utrecht Valencia Venice Vienna Warsaw York
Zagreb Zurich""".split()

JOBS = """actor artist baker barber builder butcher carpenter chef clerk cook dancer dentist designer doctor driver
editor engineer farmer firefighter fisher gardener guide judge lawyer librarian mechanic miner musician nurse painter
pharmacist photographer pilot plumber poet printer sailor scientist singer soldier surgeon tailor teacher translator
vet waiter writer""".split()

COLOURS = "red blue green yellow orange purple pink brown black white gray silver gold".split()

ANIMALS = """ant bat bear bee bird boar camel cat cow crab crow deer dog dolphin donkey duck eagle elephant falcon fish
fox frog giraffe goat goose hamster hawk hedgehog hen horse kangaroo kitten koala lamb lion lizard llama mole monkey
moose mouse octopus otter owl ox panda parrot penguin pig pigeon pony puppy rabbit raven rooster salmon seal shark sheep
snail snake spider squirrel swan tern tiger toad turtle walrus whale wolf zebra""".split()

FOODS = """almond apple apricot avocado bacon banana bean beet berry biscuit bread broccoli butter cabbage cake candy
carrot celery cheese cherry chocolate cinnamon coconut coffee cookie corn cream cucumber date egg fig garlic ginger
grape
honey jam juice kiwi lemon lentil lettuce lime mango melon milk mint muffin mushroom mustard noodle nut oat olive onion
pancake papaya pasta pea peach peanut pear pepper pie pizza plum popcorn potato pumpkin radish raisin rice salad salt
sandwich sauce soup spinach strawberry sugar tea toast tomato vanilla waffle walnut yogurt""".split()

THINGS = """arrow axe bag ball basket bell bench bicycle blanket boat book bottle bowl box bridge broom brush bucket
button camera candle card carpet chain chair clock cloud coat coin comb computer cup curtain desk door drum engine
envelope fan feather fence flag flower flute forest fork garden gate glass glove guitar hammer harbor hat helmet house
island jacket jar kettle key kite knife ladder lake lamp leaf letter library lock map market mirror moon mountain museum
nail necklace needle net notebook ocean oven paint paper pearl pen pencil phone piano picture pillow pipe plane plate
pocket purse puzzle radio rain ribbon ring river road robot rocket roof rope ruler sand scarf school scissors shelf
ship shirt shoe shovel sky snow soap sock sofa spoon stamp star stone story street string summer sun table tent ticket
towel tower toy train tree trumpet umbrella vase violin wagon wallet watch water wheel whistle wind window winter wire
wool yard zipper""".split()

ADJECTIVES = """big bitter bright broken calm cheap clean clever cold curious dark deep dry empty fast fresh friendly
full funny gentle happy hard heavy hot huge hungry kind large late lazy light little long loud narrow new noisy old
patient plain polite proud quick quiet rare rich round sad sharp short shy simple slow small smart soft sour strong
sweet tall thick thin tiny tired warm weak wet wide wild wise young""".split()

# Words people like to try.
COMMON = (
    """hello world goodbye thanks banana engine model token browser graphics memory keyboard number letter word sentence
question answer language english code data file folder network program software hardware science nature people friend
family
mother father sister brother child teacher student doctor house home city country village street morning evening night
today
tomorrow yesterday week month year time money work play game music dance paint write read learn think dream sleep walk
run jump
swim drink eat cook love hope peace freedom truth beauty power energy light shadow fire earth air metal silver gold
diamond
mississippi elephant rhythm zebra queen king castle dragon magic wizard planet space galaxy comet alien""".split()
)

# Everything that is sorted, counted or spelled.
WORDS = sorted(set(ANIMALS + FOODS + THINGS + ADJECTIVES + COMMON))

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = """January February March April May June July August September October November December""".split()
MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
NUMBER_WORDS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty""".split()

_ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pr qu r s sh sk st t th tr v w y z".split()
_VOWELS = "a e i o u ai ea ee ia io oo ou".split()
_CODAS = "n r l s t k x m d th nd rn sk ll".split() + [""] * 6


def made_up_word(rng, syllables=None):
    """A pronounceable word of random syllables, lower case."""
    count = syllables or rng.choice((1, 2, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))


def first_name(rng):
    """A first name: usually from the list, sometimes one nobody has."""
    return rng.choice(FIRST_NAMES) if rng.random() < 0.6 else made_up_word(rng).capitalize()


def city(rng):
    return rng.choice(CITIES) if rng.random() < 0.75 else made_up_word(rng, 2).capitalize()
