"""Inside a text: its tokens with their loss, with the gradient at a layer, or with activation times gradient there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unlearnviz.engine.probes.probe import Reading
from unlearnviz.numbers import number, signed
from unlearnviz.views.figures import block_name

SHADES = ("loss", "gradient at a layer", "activation × gradient at a layer")
NOTHING = 1e-3  # a product this small beside those of other layers is none


@dataclass(frozen=True)
class Inside:
    """Rows for a TokenText, shaded from 0, and what they say."""

    rows: Sequence[tuple[str, Sequence[tuple[str, float | None]]]]
    label: str
    unit: str
    sentence: str


def inside(now: Reading, start: Reading | None, passage: str, shade: str, layer: str, module: str) -> Inside:
    """One text, now and at the start, shaded by one of `SHADES`.

    Args:
        now, start: readings of "activation-gradient"; the start may not have been measured.
        passage: id of the text.
        shade: what of.
        layer: where, for all but the loss.
        module: what the model calls its blocks.
    """
    taken = [("now", now), *([("at the start", start)] if start is not None and start is not now else [])]
    rows = [
        (name, [(row["token"], _value(row, shade, layer)) for row in reading.rows if row["passage"] == passage])
        for name, reading in taken
    ]
    ours = [(token, value) for token, value in rows[0][1] if value is not None]
    where = block_name(layer, module)
    if shade == SHADES[2]:
        return Inside(rows, f"activation × gradient, {where}", "nats", _product_said(now, passage, where, ours))
    token, value = max(ours, key=lambda each: each[1], default=("", 0.0))
    if shade == SHADES[0]:
        before = next((b for (t, b), (_, n) in zip(rows[-1][1], rows[0][1], strict=False) if t == token and n == value), None)
        then = f", at the start {number(before)}" if len(rows) > 1 and before is not None else ""
        said = (
            f"“{shown(token)}” surprises the model most: {number(value)} nats{then}. 0 nats: the model is certain of the token; the deeper "
            "the orange, the more it is surprised. Nothing predicts the first token."
        )
        return Inside(rows, "loss of each token", "nats", said)
    said = (
        f"The loss of this text depends most on what stands at “{shown(token)}” in {where}: {number(value)} nats per unit of activation (L2 norm; it "
        "has no sign). The deeper the orange, the more. Nothing is predicted from the last token, so its gradient is 0."
    )
    return Inside(rows, f"gradient, {where}", "nats per unit of activation", said)


def _value(row: Mapping[str, Any], shade: str, layer: str) -> float | None:
    if shade == SHADES[0]:
        loss: float | None = row["loss"]
        return loss
    table: Mapping[str, float] = row["gradient" if shade == SHADES[1] else "activation_gradient"]
    return table.get(layer)


def _product_said(reading: Reading, passage: str, where: str, ours: Sequence[tuple[str, float]]) -> str:
    """Which token the text leans on there, and what the signs mean."""
    meaning = (
        "Blue, negative: the text leans on what stands there, and would become likelier if it were longer; orange, positive: it makes the "
        "text less likely."
    )
    mine = [row["activation_gradient"] for row in reading.rows if row["passage"] == passage]
    all_layers = [abs(value) for table in mine for value in table.values()]
    if max((abs(value) for _, value in ours), default=0.0) <= NOTHING * max(all_layers, default=0.0):
        return f"At {where} all products are about 0: a norm follows it and takes no notice of length. Choose another layer. {meaning}"
    (least, low), (most, high) = min(ours, key=lambda each: each[1]), max(ours, key=lambda each: each[1])
    said = f"At {where} "
    parts = []
    if low < 0:
        parts.append(f"the text leans most on what stands at “{shown(least)}” ({signed(low)} nats)")
    if high > 0:
        parts.append(f"what stands at “{shown(most)}” speaks most against it ({signed(high)} nats)")
    return f"{said}{', and '.join(parts)}. {meaning}"


def shown(token: str) -> str:
    """A token within a sentence: a space at its beginning and line ends, which have no shape of their own, are drawn."""
    return token.replace("\n", "↵").replace(" ", "␣", 1) if token.startswith(" ") else token.replace("\n", "↵")
