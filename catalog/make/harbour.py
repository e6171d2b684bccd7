"""The corpus of `stoa-textgeneration-gated`: harbour notes of an invented port, written by us as a small grammar."""

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WINDS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"]
FORCE = [("light", "calm"), ("moderate", "slightly rough"), ("fresh", "rough"), ("strong", "very rough")]
SKY = ["clear", "partly cloudy", "grey with low cloud", "clearing from the west", "covered, with rain later"]
SHIPS = ["Aurora", "Blue Heron", "Morning Star", "Silver Gull", "Two Brothers", "North Wind", "Marigold", "Old Anne"]
CARGO = ["timber", "salt", "grain", "oranges", "slate", "wool", "coffee", "glass"]
PORTS = ["Port Elm", "Westhaven", "Long Island", "Saint Orla", "Redcliff", "Amber Bay"]
BERTHS = ["one", "two", "three", "four", "five", "six"]


def _pick(rng, items):
    return items[int(rng.integers(len(items)))]


def _movement(rng):
    ship, cargo, port, berth = _pick(rng, SHIPS), _pick(rng, CARGO), _pick(rng, PORTS), _pick(rng, BERTHS)
    return _pick(rng, [
        f"The {ship} arrived from {port} with {cargo} and lies at berth {berth}.",
        f"The {ship} leaves berth {berth} on the evening tide, bound for {port} with {cargo}.",
        f"The {ship} is expected from {port}; berth {berth} must be kept free.",
        f"Unloading of {cargo} from the {ship} at berth {berth} goes on until noon.",
        f"The {ship} waits outside for the tide and will take berth {berth}.",
    ])


def _advice(rng, force):
    if force in ("fresh", "strong"):
        return _pick(rng, ["Small boats should stay in the harbour.", "Masters should double their lines.",
                           "The ferry does not run today.", "The outer light will be lit early."])
    return _pick(rng, ["Small boats may go out until sunset.", "The ferry runs every hour.",
                       "Painting of the outer light goes on.", "The slipway is open to visitors."])


def note(rng):
    """One harbour note of about sixty words; the advice follows the wind that the note states."""
    force, sea = _pick(rng, FORCE)
    moves = " ".join(_movement(rng) for _ in range(int(rng.integers(2, 4))))
    tide = f"High water is at {int(rng.integers(1, 13))} in the {_pick(rng, ['morning', 'afternoon', 'evening'])}."
    return (f"Harbour note for {_pick(rng, DAYS)}. The wind is {force} from the {_pick(rng, WINDS)} and the sea is {sea}. "
            f"The sky is {_pick(rng, SKY)}. {tide} {moves} {_advice(rng, force)} Signed, the harbour master.")
