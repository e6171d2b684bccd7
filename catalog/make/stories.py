"""The corpus of `stoa-textgeneration-tiny`: short village stories, written by us as a small grammar.

Every sentence pattern and word list here is original to this project. `story(rng)` returns one story; the same
random state gives the same story.
"""

PEOPLE = [
    ("Mira", "miller", "she", "her"), ("Tomas", "baker", "he", "his"), ("Ines", "ferry keeper", "she", "her"),
    ("Oskar", "carpenter", "he", "his"), ("Lena", "weaver", "she", "her"), ("Pavel", "shepherd", "he", "his"),
    ("Nora", "clock maker", "she", "her"), ("Bruno", "fisherman", "he", "his"), ("Greta", "gardener", "she", "her"),
    ("Anton", "postman", "he", "his"), ("Selma", "potter", "she", "her"), ("Jonas", "blacksmith", "he", "his"),
    ("Ada", "teacher", "she", "her"), ("Emil", "beekeeper", "he", "his"), ("Rosa", "innkeeper", "she", "her"),
    ("Felix", "lamplighter", "he", "his"),
]
ANIMALS = ["cat", "dog", "goat", "donkey", "goose", "hen", "pony", "lamb"]
COATS = ["grey", "brown", "small", "young", "black", "white", "clever", "lazy"]
PLACES = ["by the river", "at the edge of the forest", "near the old bridge", "on top of the hill",
          "behind the church", "beside the lake", "in the narrow valley", "at the end of the long road"]
WEATHER = ["a cold wind blew from the north", "the sun was warm and the sky was clear", "rain fell all day",
           "a thick fog lay over the fields", "the first snow covered the roofs", "the air smelled of cut grass"]
DAYS = ["One morning", "One evening", "On a quiet Sunday", "Early in the spring", "Late in the autumn",
        "On the day of the market", "In the middle of the night"]
FOODS = ["a warm loaf of bread", "a bowl of soup", "a basket of apples", "a piece of cheese", "a pot of honey",
         "a plum cake"]
TOOLS = ["a long ladder", "a strong rope", "a lantern", "a wooden cart", "a small boat", "an old map"]
LOST = ["a silver key", "a letter", "a blue hat", "a little bell", "a gold ring", "a book of songs"]
HIDING = ["under the bed", "in the hay", "inside the oven", "at the bottom of the well", "between two stones",
          "behind the door"]
FEELINGS = ["very happy", "very tired but happy", "proud", "quiet for a while", "full of joy", "glad to be home"]
LESSONS = [
    "From that day on, they helped each other whenever the work was hard.",
    "After that, nobody in the village ever laughed at a small idea again.",
    "The children still tell this story when the evenings are long.",
    "And every year, on the same day, they sat together and remembered it.",
    "Since then, the door of the house has always been open to guests.",
    "That night everyone slept well, and the village was quiet.",
]


def _pick(rng, items):
    return items[int(rng.integers(len(items)))]


def _two_people(rng):
    first, second = rng.choice(len(PEOPLE), size=2, replace=False)
    return PEOPLE[int(first)], PEOPLE[int(second)]


def _opening(rng, person, animal, coat):
    name, trade, she, her = person
    place = _pick(rng, PLACES)
    return _pick(rng, [
        f"{name} the {trade} lived in a small house {place}. {she.capitalize()} had a {coat} {animal} that followed {her_obj(her)} everywhere.",
        f"There was once a {trade} called {name}, who lived {place} with a {coat} {animal}.",
        f"In a village {place} lived {name}, a {trade}, and {her} {coat} {animal}.",
        f"Everybody in the village knew {name} the {trade} and {her} {coat} {animal}. They lived {place}.",
    ])


def her_obj(her):
    """The object form for a possessive: `her` stays, `his` becomes `him`."""
    return "him" if her == "his" else her


def _animal_in_trouble(rng, person, friend, animal):
    name, _, she, her = person
    other, trade, *_ = friend
    tool = _pick(rng, TOOLS)
    where = _pick(rng, ["climbed onto the roof and could not get down", "fell into the deep ditch",
                        "ran into the forest and did not come back", "got stuck on a rock in the river",
                        "was shut in the empty barn"])
    return [
        f"{_pick(rng, DAYS)}, {_pick(rng, WEATHER)}, and the {animal} {where}.",
        _pick(rng, [f"{name} called and called, but nothing helped.", f"{name} did not know what to do.",
                    f"At first {name} was afraid, and then {she} had an idea."]),
        f"{she.capitalize()} went to {other} the {trade} and asked for {tool}.",
        _pick(rng, [f'"Of course," said {other}, "let us go together."',
                    f'"I will help you," said {other}, "but we must hurry."',
                    f'"A friend in need is never a burden," said {other}.']),
        _pick(rng, [f"With {tool} and a little patience they brought the {animal} home.",
                    f"Together they worked for an hour, and at last the {animal} was safe.",
                    f"It was not easy, but before dark the {animal} was safe again."]),
        f"{name} gave {other} {_pick(rng, FOODS)}, and both were {_pick(rng, FEELINGS)}.",
    ]


def _lost_thing(rng, person, friend, animal):
    name, _, she, her = person
    other, trade, *_ = friend
    thing = _pick(rng, LOST)
    short = thing.split(" ", 1)[1]
    return [
        f"{_pick(rng, DAYS)}, {name} lost {thing}.",
        _pick(rng, [f"{she.capitalize()} looked in every room, but the {short} was gone.",
                    f"{she.capitalize()} searched the whole house and the garden too."]),
        f"{other} the {trade} came to help, because {_pick(rng, ['two pairs of eyes see more than one', 'the day was long and there was time', 'friends do not wait to be asked'])}.",
        f"They looked under the table, and then they asked the neighbours, but nobody had seen the {short}.",
        f"Only the {animal} sat still and looked {_pick(rng, ['at the floor', 'very wise', 'out of the window', 'the other way'])}.",
        f"In the end {other} found the {short} {_pick(rng, HIDING)}, where the {animal} had hidden it.",
        _pick(rng, [f"{name} laughed so much that {she} had to sit down.",
                    f"{name} was {_pick(rng, FEELINGS)} and shared {_pick(rng, FOODS)} with {other}."]),
    ]


def _stranger(rng, person, friend, animal):
    name, _, she, her = person
    other, trade, *_ = friend
    food = _pick(rng, FOODS)
    return [
        f"{_pick(rng, DAYS)}, {_pick(rng, WEATHER)}, and a stranger knocked at the door.",
        f"{_pick(rng, ['It was', 'The stranger was'])} {other}, a {trade} from a far village, who had lost the way.",
        f"{name} opened the door and offered {food}.",
        f"They sat by the fire and talked until {_pick(rng, ['the candles were low', 'the moon was high', 'the rain stopped'])}.",
        f"{other} told of {_pick(rng, ['a town with a hundred bridges', 'a river that runs under the ground', 'a garden where the snow never falls', 'a tower without a door'])}, and the {animal} listened too.",
        f"In the morning {other} gave {name} {_pick(rng, LOST)} and walked on.",
    ]


def _work_day(rng, person, friend, animal):
    name, trade, she, her = person
    other, other_trade, *_ = friend
    task = _pick(rng, ["mend the roof", "paint the old gate", "carry the wood home", "clean the well", "build a new fence"])
    return [
        f"{_pick(rng, DAYS)}, {name} wanted to {task}, but the work was too much for one {trade}.",
        f"{other} the {other_trade} saw it and brought {_pick(rng, TOOLS)}.",
        _pick(rng, [f"They began before breakfast and worked without a word.",
                    f"They sang while they worked, and {_pick(rng, WEATHER)}.",
                    f"The {animal} watched them and did nothing at all."]),
        f"By noon half of the work was done, and they rested and ate {_pick(rng, FOODS)}.",
        f"By the evening everything was ready, and {name} was {_pick(rng, FEELINGS)}.",
        f'"{_pick(rng, ["Many hands make the day short", "Good work needs good company", "Tomorrow it is my turn to help you", "We should do this every year"])}," said {other}.',
    ]


PLOTS = [_animal_in_trouble, _lost_thing, _stranger, _work_day]


def story(rng):
    """One story of about seventy words."""
    person, friend = _two_people(rng)
    animal, coat = _pick(rng, ANIMALS), _pick(rng, COATS)
    body = _pick(rng, PLOTS)(rng, person, friend, animal)
    return " ".join([_opening(rng, person, animal, coat), *body, _pick(rng, LESSONS)])
