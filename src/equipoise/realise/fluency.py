r"""Keeping a model's way of writing while it is taught answers.

What is taught are letters behind questions; nothing in that says what the model should write
elsewhere, and it forgets. So every step also holds the adapter to the model as it came, on a few
plain sentences `s` that have nothing to do with the questions:

.. math:: \mathcal{L} = \mathcal{L}_\text{answers} + \kappa \, \frac1{|s|} \sum_{t \in s}
          \mathrm{KL}\big(p_0(\cdot \mid s_{<t}) \,\|\, p(\cdot \mid s_{<t})\big).

Perplexity is reported on another text, `NEUTRAL`, that is never held on to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np

if TYPE_CHECKING:
    from equipoise.realise.lora_net import LoraNet

__all__ = ["KEPT", "NEUTRAL", "Anchor"]

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
"""A text about nothing the questions are about."""

KEPT = (
    "To bake bread you need flour, water, salt and yeast. Mix them in a bowl, knead the dough for "
    "ten minutes and let it rest under a cloth until it has doubled in size.",
    "Light takes about eight minutes to travel from the Sun to the Earth. Sound is much slower: "
    "that is why we see the lightning before we hear the thunder.",
    "Anna closed the door, put her bag on the chair and looked out of the window. Nobody was in "
    "the street. She wondered whether her brother had missed the last bus again.",
    "A list in Python keeps its elements in order. You can add one with the method append, remove "
    "one with pop, and ask how many there are with the function len.",
    "The museum is open from Tuesday to Sunday, from ten in the morning until six in the evening. "
    "Tickets can be bought at the entrance; children under twelve pay nothing.",
    "Dear Mr. Hall, thank you for your letter of 3 May. I am glad to tell you that your order was "
    "sent yesterday and should arrive within a week. Yours sincerely, P. Grant",
    "Whales breathe air, although they live in the sea. Some can stay under water for more than an "
    "hour, and in that time their heart beats only a few times a minute.",
    "In the second half the home team played with more patience. The goal came five minutes before "
    "the end, after a long pass from the left that nobody had expected.",
)
"""Sentences on which an adapter is held to the model as it came."""


@final
class Anchor:
    """What a model without its adapter says along the kept sentences, worked out once."""

    @classmethod
    def of(cls, net: LoraNet) -> Anchor:
        """Return the anchor of a net; its adapter is put back as it was."""
        now = net.state()
        net.restore({n: a if "lora_A" in n else np.zeros_like(a) for n, a in now.items()})
        try:
            return cls(net)
        finally:
            net.restore(now)

    def __init__(self, net: LoraNet) -> None:
        import torch

        self._blocks = []
        for text in KEPT:
            tokens = net.tokenizer(text, add_special_tokens=False)["input_ids"]
            # A prompt that ends at each of its tokens: the tree of all beginnings is the text.
            self._blocks.append([[tokens[:i] for i in range(1, len(tokens))]])
        with torch.no_grad():
            self._before = [net.logprobs(block, keep=False) for block in self._blocks]

    def distance(self, net: LoraNet, step: int) -> Any:
        """Return the mean divergence, nats a token, along the sentence of a step: a tensor."""
        import torch

        one = step % len(self._blocks)
        now = net.logprobs(self._blocks[one], keep=False)
        return torch.nn.functional.kl_div(
            now, self._before[one], reduction="batchmean", log_target=True
        )
