"""The corpus of the sentence embedding: requests to a support desk, by intent, in several wordings each.

The last two wordings of each intent are never trained on: they measure whether meaning carries over to new words.
"""

ITEM = ["phone", "laptop", "lamp", "bike", "jacket", "book", "printer", "chair", "camera", "kettle"]
INTENTS = {
    "reset_password": ["I forgot my password", "How do I reset my password", "I cannot log in because my password is wrong", "Please send me a new password", "My login does not work any more", "Help me to set a new password", "the password reset link does not arrive", "I need to change my login password"],
    "track_order": ["Where is my {i}", "When will my {i} arrive", "I want to track my order of a {i}", "My {i} has not been delivered yet", "What is the delivery status of my {i}", "Has my {i} been shipped", "my order is late, where is the {i}", "tell me when the {i} will be delivered"],
    "refund": ["I want my money back for the {i}", "Please refund the {i}", "How can I get a refund for my {i}", "I would like to return the {i} and be paid back", "When do I get the money for the {i} I returned", "Refund my purchase of the {i}", "I demand my money back for this {i}", "can the {i} be refunded"],
    "broken_item": ["My {i} is broken", "The {i} arrived damaged", "The {i} does not work", "There is a crack in the {i}", "My {i} stopped working after a week", "The {i} is defective", "the {i} I got is damaged", "this {i} is broken and does not start"],
    "cancel_order": ["Please cancel my order", "I want to cancel the order of the {i}", "Stop my order of the {i}", "I do not want the {i} any more, cancel it", "Can I still cancel the {i}", "Cancel the purchase", "cancel my {i} order please", "how can I cancel an order"],
    "invoice": ["I need an invoice for the {i}", "Send me the invoice", "Where can I find my invoice", "Please send a bill for the {i}", "The invoice for my {i} is missing", "I need a receipt for tax", "please mail me the bill and the invoice", "there is no receipt for my {i}"],
    "change_address": ["I have moved, my address changed", "Please change my delivery address", "I gave the wrong address", "Send the {i} to another address", "How do I update my address", "My street has changed", "deliver the {i} to my new address", "I need to update the delivery address"],
    "opening_hours": ["When do you open", "What are your opening hours", "Are you open on Sunday", "How long is the shop open today", "When does the shop close", "Is the store open in the evening", "at what time do you close", "is the shop open on Sunday"],
    "payment": ["Can I pay by card", "Which ways of payment do you accept", "My credit card was declined", "The payment for the {i} failed", "Can I pay the {i} by bank transfer", "I was charged twice", "the card payment failed", "do you accept a bank transfer for payment"],
    "delete_account": ["Delete my account", "I want to close my account", "Please remove all my data", "How can I delete my profile", "Close my customer account", "Erase my data", "please close and delete my profile", "remove my account and my data"],
    "talk_to_human": ["I want to talk to a person", "Connect me with an agent", "Can I speak to a human", "Please call me back", "Let me speak with the manager", "I need to talk to somebody", "may I speak to an agent", "I want a person to call me"],
    "stock": ["Is the {i} in stock", "When will the {i} be available again", "Do you have the {i} in blue", "Is the {i} sold out", "How many {i}s do you have left", "Do you sell a {i}", "is the {i} available in stock", "do you still have a {i} left"],
}


def sentences(wordings):
    """[(text, intent number)] for a slice of the wordings, with every item filled in."""
    out = []
    for number, forms in enumerate(INTENTS.values()):
        for form in forms[wordings]:
            texts = [form.format(i=item) for item in ITEM] if "{i}" in form else [form]
            out += [(text, number) for text in texts]
    return out
