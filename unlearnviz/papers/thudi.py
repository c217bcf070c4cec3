"""Thudi et al. 2021 (Unrolling SGD, arXiv 2109.13398): how far from retrained, and how to train so that it is less. Summary and code were read."""

from unlearnviz.papers.claim import RECONSTRUCTION, STATED, Claim, Experiment, Trial

PAPER = "Thudi et al. 2021"
VERIFIED = Experiment("unrolling_sgd", "unlearnviz unrolling-sgd", "09-unrolling-sgd.ipynb")
TAUGHT_SO = (
    "This is about how a model is taught, so no step shows it: session.learn(recipe=uv.Recipe(epochs=3, optimizer='SGD', learning_rate=0.02, "
    "deviation_penalty=2.0)) teaches with the penalty, and deviation_penalty=0.0 without."
)

THUDI = (
    Claim(
        id="unrolling-sgd-proxy",
        paper=PAPER,
        sentence="Unlearning error, which needs no retraining, correlates strongly with verification error.",
        kind=STATED,
        experiment=VERIFIED,
        claimed="above",
        line=0.5,
        line_means="a strong rank correlation",
        flips="which trainings are compared",
        trial=Trial(
            "single-gradient", where="all", needs="schedule", look="Then open Verdict and measure verification error and unlearning error."
        ),
    ),
    Claim(
        id="unrolling-sgd-nearer",
        paper=PAPER,
        sentence="To add back a single gradient of each text leads nearer to the retrained model than doing nothing.",
        kind=RECONSTRUCTION,
        experiment=VERIFIED,
        line=1.0,
        line_means="doing nothing",
        flips="the epochs and the learning rate of the training",
        trial=Trial(
            "single-gradient", where="all", needs="schedule", look="Then open Distance: is the model nearer to its twin than the start is?"
        ),
    ),
    Claim(
        id="unrolling-sgd-penalty-error",
        paper=PAPER,
        sentence="A model taught with the SD penalty has a smaller verification error.",
        kind=STATED,
        experiment=VERIFIED,
        line=1.0,
        line_means="as without the penalty",
        flips="the weight of the penalty",
        trial=TAUGHT_SO,
    ),
    Claim(
        id="unrolling-sgd-penalty-proxy",
        paper=PAPER,
        sentence="A model taught with the SD penalty has a smaller unlearning error.",
        kind=STATED,
        experiment=VERIFIED,
        line=1.0,
        line_means="as without the penalty",
        flips="the weight of the penalty",
        trial=TAUGHT_SO,
    ),
    Claim(
        id="unrolling-sgd-penalty-cost",
        paper=PAPER,
        sentence="The SD penalty costs the model a modest part of its accuracy.",
        kind=STATED,
        experiment=VERIFIED,
        line=1.1,
        line_means="a tenth more perplexity than without the penalty",
        flips="the weight of the penalty",
        trial=TAUGHT_SO,
    ),
)
