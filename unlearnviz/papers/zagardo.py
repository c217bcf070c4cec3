"""Zagardo 2024 (arXiv 2406.09391): gradient ascent on GPT-2 with gradients stored while it was taught. Its abstract and summaries were read.

His data, recipe, strength and measures are not known: how each sentence is measured is our reconstruction.
"""

from unlearnviz.papers.claim import STATED, Claim, Experiment, Trial

PAPER = "Zagardo 2024"
REMOVALS = Experiment("fuzzy_or_iterative", "unlearnviz fuzzy-or-iterative", "05-fuzzy-or-iterative.ipynb")
STORED = Experiment("first_epoch", "unlearnviz first-epoch", "06-first-epoch.ipynb")

ZAGARDO = (
    Claim(
        id="first-epoch-better",
        paper=PAPER,
        sentence="Gradients of the first epoch alone unlearn better than those of all epochs.",
        kind=STATED,
        experiment=STORED,
        flips="the optimizer of the training (AdamW or SGD), and whether the embedding or everything is moved",
        trial=Trial(
            "first-epoch-ascent",
            {"epochs": "first", "as_long_as_all": True},
            needs="gradients",
            look="Then Undo, set epochs to all, and step again: which of the two costs the texts to keep more?",
        ),
    ),
    Claim(
        id="first-epoch-embedding-beats-whole-model",
        paper=PAPER,
        sentence="First-epoch ascent unlearns better than ascent over the whole model.",
        kind=STATED,
        experiment=STORED,
        flips="the optimizer of the training, and where: the embedding or everything",
        trial=Trial(
            "first-epoch-ascent",
            {"epochs": "first", "update_norm": 1.0},
            needs="gradients",
            look="Then Undo, set epochs to all and where to all, and step until the forget texts surprise as much.",
        ),
    ),
    Claim(
        id="embedding-most-selective",
        paper=PAPER,
        sentence="The embedding is the layer that matters for unlearning.",
        kind=STATED,
        experiment=STORED,
        flips="what is held equal (the forget perplexity, or the strength), and the optimizer of the training",
        trial=Trial(
            "first-epoch-ascent",
            {"epochs": "all", "update_norm": 1.0},
            needs="gradients",
            look="Then Undo and set where to all: at the same forget perplexity, which cost the texts to keep more?",
        ),
    ),
    Claim(
        id="last-blocks-no-effect",
        paper=PAPER,
        sentence="The gradients of layers 11 and 12, the last two, have no effect.",
        kind=STATED,
        experiment=STORED,
        line=5.0,
        line_means="5 % of what the embedding does: up to there we call it no effect",
        flips="the length of the update: that which the embedding's strength gives, or as long as the embedding's",
        trial=Trial(
            "first-epoch-ascent",
            {"epochs": "first"},
            where="blocks 10-11",
            needs="gradients",
            look="Then Undo and give it the update norm that the embedding had.",
        ),
    ),
    Claim(
        id="embedding-halves-storage",
        paper=PAPER,
        sentence="To store the gradients of the embedding alone halves the storage.",
        kind=STATED,
        experiment=STORED,
        claimed="at",
        line=50.0,
        line_means="half; 45 to 55 % would do",
        flips="the shape of the model: fewer blocks or a larger vocabulary make the embedding a larger share",
        trial="Bytes are counted, and no step is needed: open Ledger, and there its storage meter.",
    ),
    Claim(
        id="texts-come-back",
        paper=PAPER,
        sentence="Ascent that is badly calibrated can end where the model still knows the texts, or knows them again.",
        kind=STATED,
        experiment=STORED,
        line_means="as surprising as to the twin",
        flips="strength: how far a pass goes, and how many passes follow",
        trial=Trial(
            "first-epoch-ascent",
            {"epochs": "first", "strength": 16.0},
            needs="gradients",
            look="Step again and again: does the forget perplexity come down at some step, or only the rest go up?",
        ),
    ),
    Claim(
        id="iterative-more-complete",
        paper=PAPER,
        sentence="Iterative removal may be the more complete unlearning, beside removal of all that matches by fuzzy search.",
        kind=STATED,
        experiment=REMOVALS,
        flips="whether the same fact is told by a near-duplicate or in other words, and the threshold of the search",
        trial=Trial(
            "fuzzy-unlearning",
            {"threshold": 80},
            look="Then Undo and step by iterative-unlearning, score influence, among all taught texts; Leak shows which one leaves less.",
        ),
    ),
)
