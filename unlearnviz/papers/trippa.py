"""Trippa et al. 2024 (arXiv 2403.14339): nabla-tau. Its abstract was read; the loss is known from a re-implementation that cites it."""

from unlearnviz.papers.claim import RECONSTRUCTION, STATED, Claim, Experiment, Trial

PAPER = "Trippa et al. 2024"
SHARES = Experiment("forgetting_shares", "unlearnviz nabla-tau", "08-nabla-tau.ipynb")


def _step(look: str) -> Trial:
    return Trial("nabla-tau", where="all", needs="never seen", look=look)


TRIPPA = (
    Claim(
        id="nabla-tau-reaches-tau",
        paper=PAPER,
        sentence="With nothing tuned, nabla-tau raises the forget loss to tau, that of texts never seen, and no further.",
        kind=RECONSTRUCTION,
        experiment=SHARES,
        line=5.0,
        line_means="5 % of tau",
        flips="the share of texts to forget, and passes: how many updates it takes",
        trial=_step("Is the forget perplexity that of the never-seen texts now?"),
    ),
    Claim(
        id="nabla-tau-keeps",
        paper=PAPER,
        sentence="Nabla-tau forgets without a loss of accuracy on the rest.",
        kind=STATED,
        experiment=SHARES,
        line=3.0,
        line_means="3 % of perplexity",
        flips="alpha: the weight of forgetting beside keeping, and the share of texts to forget",
        trial=_step("Did the perplexity of the neighbours and of the retain texts grow by more than 3 %?"),
    ),
    Claim(
        id="nabla-tau-gentler",
        paper=PAPER,
        sentence="Nabla-tau harms the rest less than plain ascent to the same forget loss.",
        kind=RECONSTRUCTION,
        experiment=SHARES,
        flips="alpha: at 1 nothing repairs the rest, as in plain ascent",
        trial=_step("Then Undo and climb by gradient-ascent to the same forget perplexity: what did each cost?"),
    ),
    Claim(
        id="nabla-tau-mia",
        paper=PAPER,
        sentence="After nabla-tau, membership inference finds the forgotten texts no more and no less than in a retrained model.",
        kind=RECONSTRUCTION,
        experiment=SHARES,
        claimed="at",
        line_means="as in the retrained models",
        flips="the never-seen texts that tau is taken over: others put it elsewhere",
        trial=_step("Open Membership and measure: the twin's value is the aim, and 50 texts are the least that can be judged."),
    ),
    Claim(
        id="nabla-tau-thirty-percent",
        paper=PAPER,
        sentence="Nabla-tau works for up to 30 % of the training data.",
        kind=STATED,
        experiment=SHARES,
        line=3.0,
        line_means="3 % of perplexity; the forget loss must end within 5 % of tau as well",
        flips="the share of texts to forget",
        trial=_step("Pick more people and step again: does it still arrive, and does the rest stay as it was?"),
    ),
)
