"""Gogineni and Nadimi 2024 (arXiv 2403.07611): layer-wise partial unlearning. Its abstract was read; how they prune, and how much, is not known."""

from unlearnviz.papers.claim import RECONSTRUCTION, STATED, Claim, Experiment, Trial

PAPER = "Gogineni & Nadimi 2024"
PARTIAL = Experiment("partial_amnesiac", "unlearnviz partial-amnesiac", "07-partial-amnesiac.ipynb")
TRAINED = "the optimizer of the training (AdamW or SGD)"
SHARE = "keep (rho): the share of each layer"

GOGINENI_NADIMI = (
    Claim(
        id="partial-amnesiac-keeps-quality",
        paper=PAPER,
        sentence="Partial amnesiac unlearning keeps the quality of the model.",
        kind=STATED,
        experiment=PARTIAL,
        flips=f"{TRAINED}, {SHARE} that is taken back, and whether both are taken back as recorded or as far as the retrained model",
        trial=Trial("partial-amnesiac", where="all", needs="deltas", look="Then Undo and step by amnesiac: what did each do to the rest?"),
    ),
    Claim(
        id="partial-amnesiac-needs-no-repair",
        paper=PAPER,
        sentence="Partial amnesiac unlearning needs no fine-tuning afterwards, as amnesiac unlearning does.",
        kind=STATED,
        experiment=PARTIAL,
        line=1.0,
        line_means="one update of fine-tuning",
        flips=f"{TRAINED}, and {SHARE} that is taken back",
        trial=Trial("partial-amnesiac", where="all", needs="deltas", look="Did the perplexity of the retain texts grow? fine-tune repairs it."),
    ),
    Claim(
        id="partial-amnesiac-still-unlearns",
        paper=PAPER,
        sentence="After partial amnesiac unlearning the forgotten texts surprise at least as much as a retrained model.",
        kind=RECONSTRUCTION,
        experiment=PARTIAL,
        claimed="above",
        line_means="as surprising as to the retrained model",
        flips=f"{TRAINED}, {SHARE} that is taken back, and whether a repair follows",
        trial=Trial("partial-amnesiac", where="all", needs="deltas", look="Compare the forget perplexity with that of the twin."),
    ),
    Claim(
        id="partial-amnesiac-storage",
        paper=PAPER,
        sentence="Partial amnesiac unlearning stores less.",
        kind=STATED,
        experiment=PARTIAL,
        line=0.16,
        line_means="0.16 of the bytes of whole deltas",
        flips=f"{SHARE} that is stored, and how many bytes a value and its place take",
        trial="Bytes are counted, and no step is needed: open Ledger, and there its storage meter.",
    ),
    Claim(
        id="partial-label-flipping-keeps-quality",
        paper=PAPER,
        sentence="Label flipping by layer-wise partial updates keeps the quality of the model better than the naive form.",
        kind=STATED,
        experiment=PARTIAL,
        flips=f"{SHARE} that an update changes",
        trial=Trial("label-flipping", {"keep": 0.1}, where="all", look="Then Undo, set keep to 1, and step to the same forget perplexity."),
    ),
    Claim(
        id="partial-optimisation-keeps-quality",
        paper=PAPER,
        sentence="Optimisation-based unlearning by layer-wise partial updates keeps the quality of the model better than the naive form.",
        kind=STATED,
        experiment=PARTIAL,
        flips=f"{SHARE} that an update changes",
        trial=Trial("optimisation-based", {"keep": 0.1}, where="all", look="Then Undo, set keep to 1, and step to the same forget perplexity."),
    ),
)
