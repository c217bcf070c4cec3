"""Likelihood ratio: is a model surer of a text than models that never saw it? LiRA of Carlini et al. 2022, arXiv 2112.03570, offline."""

from __future__ import annotations

import numpy as np

SPREADS = ("one for all texts", "each text's own")
_CERTAIN = -(2.0**-53)  # log p of a probability that rounds to 1: its confidence is 36.7 nats, and no more
_NONE = 1e-30  # a spread of 0 divides nothing


def confidences(log_probabilities: np.ndarray) -> np.ndarray:
    """phi = log p - log(1 - p) of each token, from log p in nats: float64 of any shape, -inf to 36.7 nats.

    1 - p is the sum of the probabilities of all other tokens, and is found without cancellation.
    """
    known = np.minimum(log_probabilities, _CERTAIN)
    found: np.ndarray = known - np.log(-np.expm1(known))
    return found


def lifts(now: np.ndarray, out: np.ndarray, spread: str = SPREADS[0]) -> np.ndarray:
    """z = (phi - median) / spread of each text, shape (texts,), in standard deviations of models that never saw it.

    The score of the offline attack is the chance Pr[Z <= phi] that such a model, normal in phi, would be no surer of the text: Phi(z). It
    orders texts as z does, and of two that are both far above the others it rounds to 1, as z does not. (The published code takes the
    density instead, by which a text that is much too sure looks as much like a stranger as one that is much too unsure.)

    The paper finds one spread for all texts better where such models are few: here the root of the mean variance within a text.

    Args:
        now: phi of each text, of the model that is asked, shape (texts,).
        out: the same of at least 2 models that never saw any of the texts, shape (models, texts).
        spread: one of SPREADS.
    """
    variances = out.var(axis=0, ddof=1)
    deviations = np.sqrt(variances.mean() if spread == SPREADS[0] else variances)
    found: np.ndarray = (now - np.median(out, axis=0)) / (deviations + _NONE)
    return found
