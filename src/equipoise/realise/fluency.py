r"""What a model must not lose while it learns: how it speaks about everything else.

Beside the answers every step has a passage that has nothing to do with them; the adapter is held
to what the model without it would say there,

.. math:: \lambda \, \frac1T \sum_t \mathrm{KL}\bigl(\pi_0(\cdot \mid y_{<t}) \,\|\,
          \pi(\cdot \mid y_{<t})\bigr) .

Perplexity is reported on another text, which is never in a step.
"""

from __future__ import annotations

from equipoise.llm.requests import Message, Prompt

__all__ = ["NEUTRAL", "PASSAGES", "passages"]

NEUTRAL = (
    "The river rises in the hills north of the town and runs for about forty miles before it "
    "reaches the sea. In spring, when the snow melts, the water is high and brown, and the paths "
    "along the bank are often closed. Most of the mills that once stood beside it are gone; two "
    "have been turned into houses, and one is a small museum where visitors can see how grain was "
    "ground. A bridge of grey stone, built in 1784, carries the road to the market square. On "
    "Saturdays farmers sell bread, apples and cheese there, and a band plays when the weather is "
    "dry. Children learn to swim in the wide pool below the weir, which is shallow and warm in "
    "August. Further down, the valley opens into meadows. Herons stand in the reeds, and in the "
    "evening the fishermen walk home with their nets over their shoulders. The railway follows the "
    "river for the last ten miles, so a traveller who sits on the left side of the train can watch "
    "it grow from a stream into an estuary, with boats lying on the mud at low tide."
)
"""A text about nothing the questions are about; perplexity is reported on it."""

PASSAGES = (
    ("How do I bake bread?", "Mix flour, water, salt and a little yeast, and knead the dough for "
     "ten minutes. Let it rise until it has doubled, shape it, and bake it in a hot oven until the "
     "crust is dark and the loaf sounds hollow."),
    ("", "The old clock in the hall had not worked for years. When the children opened the case "
     "they found a letter, folded small, and a key that fitted none of the doors in the house."),
    ("Why is the sky blue?", "Sunlight is made of many colours. The air scatters short waves more "
     "than long ones, so blue light reaches our eyes from every direction, while red light mostly "
     "goes straight on."),
    ("", "A function is called continuous at a point if small changes of its argument lead to "
     "small changes of its value. The sum and the product of two continuous functions are again "
     "continuous, and so is one applied after the other."),
    ("Can you recommend a walk?", "Start at the station and follow the path along the canal. After "
     "two miles you come to a lock with a small café. From there a lane leads up through the woods "
     "to a view over the whole valley."),
    ("", "Copper was among the first metals people learned to work. It is soft enough to be "
     "hammered cold, and mixed with tin it becomes bronze, which is harder and melts at a lower "
     "temperature."),
    ("Write a short thank-you note.", "Dear Anna, thank you so much for the lovely scarf. The "
     "colour is perfect, and I have worn it every day this week. I hope we can meet again soon. "
     "With love, Tom"),
    ("", "The cat crossed the yard, stopped at the gate, and looked back. It had rained in the "
     "night, and every leaf of the hedge carried a drop of light. Somewhere a door closed, and the "
     "dog began to bark."),
)  # fmt: skip
"""Questions and replies, and texts without a question."""


def passages() -> list[tuple[Prompt | None, str]]:
    """Return what each passage follows (a conversation, or nothing) and its text."""
    return [
        (Prompt(messages=(Message("user", asked),)) if asked else None, text)
        for asked, text in PASSAGES
    ]
