"""The corpus of the sentiment classifier: short opinions from a grammar of ours, and two lists of sentences written by
hand that the grammar did not make.

`FIRST_LOOK` was used once to see what the grammar lacked, and the grammar was widened after that. `HAND` was written
after the grammar was finished and used for measuring only: it is the honest part of the evaluation.
"""

GOOD = ["wonderful", "excellent", "great", "lovely", "delightful", "superb", "very good", "fantastic", "brilliant", "pleasant", "perfect", "impressive", "outstanding", "charming", "amazing", "enjoyable", "fine", "nice", "good", "better than expected", "fast", "beautiful", "kind", "helpful", "clean", "comfortable", "cheap and good", "tasty", "delicious", "friendly", "funny", "moving", "easy to use", "reliable", "quick", "polite", "cosy", "fresh", "the best", "so good", "well made", "worth it"]
BAD = ["terrible", "awful", "poor", "disappointing", "horrible", "very bad", "dreadful", "useless", "annoying", "unpleasant", "broken", "boring", "mediocre", "dirty", "rude", "ugly", "slow", "noisy", "bad", "worse than expected", "cold", "filthy", "expensive", "too expensive", "uncomfortable", "tasteless", "unfriendly", "silly", "confusing", "hard to use", "unreliable", "late", "stale", "the worst", "so bad", "badly made", "not worth it", "a disappointment", "a disaster"]
FLAT = ["ordinary", "average", "as expected", "acceptable", "standard", "usual", "plain", "unremarkable", "neither good nor bad", "normal", "typical", "so so"]
THINGS = ["food", "service", "room", "hotel", "film", "book", "phone", "camera", "battery", "coffee", "restaurant", "staff", "trip", "train", "concert", "shop", "delivery", "soup", "story", "screen", "price", "support", "garden", "music", "museum", "bike", "laptop", "chair", "course", "teacher", "app", "website", "place", "meal", "design", "sound", "view", "driver", "package", "jacket", "shoes", "game", "show", "product", "quality", "breakfast"]
LOVE = ["I love", "I really enjoyed", "We liked", "I am very happy with", "I am pleased with", "We were delighted by", "I can recommend", "I adore", "My family loved", "My kids loved", "I enjoyed", "I am glad that I bought", "I am so glad about", "I would happily use", "Thank you for", "I am grateful for", "I had fun with"]
HATE = ["I hate", "I regret buying", "We disliked", "I am very unhappy with", "I am annoyed by", "We were disappointed by", "I cannot recommend", "I am angry about", "My family hated", "My kids hated", "I regret", "I am sorry that I bought", "I am tired of", "I would never use", "Nobody apologised for", "I complained about", "I had trouble with", "Do not buy"]
NEUTRAL = ["I have used", "We visited", "I received", "I bought", "They delivered", "We tried", "I looked at", "My friend described", "They also sell", "I bought last week", "The manual describes", "He asked about", "She works near", "You can find", "There is"]
GOOD_TAIL = ["I will come back.", "It made my day.", "Worth every penny.", "It works perfectly.", "Thank you so much!", "Best of the year.", "Everything went smoothly.", "I would buy it again.", "It exceeded my hopes.", "Highly recommended.", "We had a lot of fun.", "I would happily stay again.", "It works like a charm.", "I never had a better one.", "The staff fixed it in a day.", "Great value for the money.", "It is fast and easy.", "I smiled all day.", "It was not bad at all.", "Nothing to complain about."]
BAD_TAIL = ["I will never come back.", "It ruined my day.", "A waste of money.", "It stopped working after a week.", "I want a refund.", "Worst of the year.", "Everything went wrong.", "I would not buy it again.", "It did not work at all.", "Avoid it.", "We were bored.", "It arrived broken.", "Nobody said sorry.", "They ignored us.", "It crashes all the time.", "It broke on the first day.", "It smelled of smoke.", "I was bored from start to finish.", "It is far too expensive.", "They were late again.", "It was not good.", "Nothing works.", "I complained twice."]
FLAT_TAIL = ["It arrived on Tuesday.", "It has two buttons.", "The box is blue.", "It opens at nine.", "There were about twenty people.", "It does what it says.", "It is near the station.", "It weighs one kilo.", "We stayed for two hours.", "It costs ten euros.", "It comes in red and green.", "The manual has forty pages.", "It is next to the post office.", "The meeting lasted one hour.", "The bus stops here.", "It is behind the house.", "They also sell tea.", "It was built in May.", "We took the train at noon.", "It starts at eight.", "The book has three parts.", "There is a table in the hall.", "The room has two windows.", "He lives on the second floor.", "I bought it last week.", "It is made of wood.", "The office is open from Monday to Friday.", "She reads the paper in the morning.", "The road goes to the lake."]
BE = ["was", "is", "seemed", "turned out to be"]
LABELS = ["negative", "neutral", "positive"]

FIRST_LOOK = [
    ("What a wonderful evening, thank you!", 2), ("The soup was cold and the waiter ignored us.", 0),
    ("The parcel came on Monday.", 1), ("I would happily stay here again.", 2), ("Two hours late and nobody said sorry.", 0),
    ("The manual has forty pages.", 1), ("Great value, works like a charm.", 2), ("Do not waste your money on this.", 0),
    ("The shop is next to the post office.", 1), ("My kids loved every minute of it.", 2), ("It broke on the second day.", 0),
    ("It comes in red and in green.", 1), ("The staff were kind and helpful.", 2), ("The room smelled of smoke and was filthy.", 0),
    ("We took the train at noon.", 1), ("Simply the best coffee in town.", 2), ("I was bored from start to finish.", 0),
    ("The meeting lasted one hour.", 1), ("This phone is fast and beautiful.", 2), ("The battery dies after an hour, useless.", 0),
    ("The book has three parts.", 1), ("I am so glad that I bought it.", 2), ("Terrible support, I want my money back.", 0),
    ("It is sold in most supermarkets.", 1), ("A charming little hotel with a lovely view.", 2), ("The film was a disappointment.", 0),
    ("The concert started at eight.", 1), ("Everything was perfect.", 2), ("The worst meal I have ever had.", 0), ("They also sell tea.", 1),
    ("Brilliant acting and a moving story.", 2), ("The app crashes all the time.", 0), ("The garden is behind the house.", 1),
    ("Excellent quality and quick delivery.", 2), ("Noisy, dirty and far too expensive.", 0), ("I bought it last week.", 1),
    ("It was not good.", 0), ("It was not bad at all.", 2), ("Nothing special, just average.", 1), ("I never had a better teacher.", 2),
    ("The driver was rude to my mother.", 0), ("The bus stops here every ten minutes.", 1), ("I enjoyed the music a lot.", 2),
    ("The shoes hurt and look ugly.", 0), ("The package weighs two kilos.", 1), ("They fixed my bike in a day, fantastic!", 2),
    ("I regret this trip.", 0), ("The price is normal for this area.", 1),
]

# Written after the grammar was finished; for measuring only.
HAND = [
    ("We had the best time at this place.", 2), ("The waiter was friendly and the soup delicious.", 2),
    ("Such a comfortable bed, I slept very well.", 2), ("This is a great little camera.", 2), ("I am happy with my new bike.", 2),
    ("The support team solved my problem at once, thanks!", 2), ("Lovely music and a warm welcome.", 2),
    ("You will not regret buying this.", 2), ("A beautiful book that I read twice.", 2), ("The trip was fun for all of us.", 2),
    ("Really good food for a fair price.", 2), ("I love how easy it is.", 2), ("The course helped me a lot.", 2), ("Fantastic game!", 2),
    ("The screen was cracked when I opened the box.", 0), ("I waited three weeks and it never came.", 0),
    ("Awful smell in the whole house.", 0), ("The teacher was impatient and unkind.", 0), ("This is the worst app on my phone.", 0),
    ("My coffee was cold again.", 0), ("They charged me twice and did not answer.", 0), ("Cheap plastic that breaks at once.", 0),
    ("I did not like the story.", 0), ("The train was late and crowded.", 0), ("Poor sound and a boring show.", 0),
    ("I would not go there again.", 0), ("The delivery was a disaster.", 0), ("Sad to say that it does not work.", 0),
    ("The train leaves at seven.", 1), ("My sister lives near the lake.", 1), ("The hotel has sixty rooms.", 1),
    ("You can pay by card.", 1), ("The film lasts two hours.", 1), ("There is a lamp on the table.", 1),
    ("The package contains four screws.", 1), ("He bought a jacket on Friday.", 1), ("The museum is closed on Mondays.", 1),
    ("We walked from the station to the hotel.", 1), ("The phone weighs two hundred grams.", 1), ("It is an average book.", 1),
    ("The course begins in September.", 1), ("They changed the menu in spring.", 1),
]


def _pick(rng, items):
    return items[int(rng.integers(len(items)))]


def _clause(rng, words, verbs, opposite):
    thing, be = _pick(rng, THINGS), _pick(rng, BE)
    kind = int(rng.integers(6))
    if kind == 0:
        return f"{_pick(rng, verbs)} the {thing}."
    if kind == 1:
        return f"The {thing} {be} {_pick(rng, words)} and {_pick(rng, words)}."
    if kind == 2:
        return f"What {_article(rng, words)} {thing}!"
    if kind == 3 and opposite:
        return f"The {thing} {be} not {_pick(rng, opposite)}."
    return f"The {thing} {be} {_pick(rng, words)}."


def _article(rng, words):
    word = _pick(rng, words)
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def example(rng):
    """(text, label)."""
    label = int(rng.integers(3))
    words, verbs, tails, opposite = [(BAD, HATE, BAD_TAIL, GOOD), (FLAT, NEUTRAL, FLAT_TAIL, None), (GOOD, LOVE, GOOD_TAIL, BAD)][label]
    form = int(rng.integers(4))
    parts = []
    if form != 1:
        parts.append(_clause(rng, words, verbs, opposite))
    if form in (1, 2):
        parts.append(_pick(rng, tails))
    if form == 3:
        parts.append(_clause(rng, words, verbs, opposite))
    text = " ".join(parts)
    return (text.lower() if rng.random() < 0.2 else text), label
