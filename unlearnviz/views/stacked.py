"""Stacked: two figures of one kind as one, the second below the first, with one scale of colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from unlearnviz.views.figures import Part

TITLE = 24  # pixels of the line above the second figure


def stacked(above: go.Figure, under: go.Figure, title: str) -> go.Figure:
    """One figure of two that each have one x and one y axis, a height and margins; `title` stands above the second."""
    top, low = above.to_plotly_json(), under.to_plotly_json()
    one, two = top["layout"], low["layout"]
    height = one["height"] + two["height"] + TITLE
    inside = height - one["margin"]["t"] - two["margin"]["b"]
    share = (two["height"] - two["margin"]["t"] - two["margin"]["b"]) / inside
    rest = 1 - (one["height"] - one["margin"]["t"] - one["margin"]["b"]) / inside
    _one_scale(above, under, top, low)
    names = {trace.get("name") for trace in top["data"]}
    for trace in low["data"]:
        trace |= {"xaxis": "x2", "yaxis": "y2"}
        if trace.get("name") in names:
            trace["showlegend"] = False
    moved = {part: [_moved(each) for each in two.get(part, ())] for part in ("shapes", "annotations")}
    head: Part = {"text": title, "x": 0, "xref": "paper", "xanchor": "left", "y": share, "yref": "paper", "yanchor": "bottom"}
    head |= {"showarrow": False, "yshift": 4, "font": {"size": 13}}
    layout = {
        **one,
        "height": height,
        "margin": {side: max(one["margin"][side], two["margin"][side]) for side in ("l", "r")}
        | {"t": one["margin"]["t"], "b": two["margin"]["b"]},
        "xaxis": {**one.get("xaxis", {}), "anchor": "y"},
        "yaxis": {**one.get("yaxis", {}), "domain": [rest, 1], "anchor": "x"},
        "xaxis2": {**two.get("xaxis", {}), "anchor": "y2"},
        "yaxis2": {**two.get("yaxis", {}), "domain": [0, share], "anchor": "x2"},
        "shapes": [*one.get("shapes", ()), *moved["shapes"]],
        "annotations": [*one.get("annotations", ()), *moved["annotations"], head],
    }
    return go.Figure({"data": [*top["data"], *low["data"]], "layout": layout})


def _moved(part: Part) -> Part:
    """A shape or an annotation that belongs to the second pair of axes."""
    refs = {"x": "x2", "x domain": "x2 domain", "y": "y2", "y domain": "y2 domain"}
    return {**part, **{key: refs.get(part.get(key, key[0]), part.get(key)) for key in ("xref", "yref")}}


def _one_scale(above: go.Figure, under: go.Figure, top: Part, low: Part) -> None:
    """The same colour means the same number in both, and one bar of colours tells it."""
    pair = [(k, j) for k, one in enumerate(above.data) for j, two in enumerate(under.data) if one.type == two.type == "heatmap"]
    for k, j in pair:
        ends = [_ends(each) for each in (above.data[k], under.data[j])]
        scale = {"zmin": min(least for least, _ in ends), "zmax": max(most for _, most in ends)}
        top["data"][k] |= scale
        low["data"][j] |= {**scale, "showscale": False}
    one, two = top["layout"].get("coloraxis"), low["layout"].get("coloraxis")
    if one is not None and two is not None:
        one |= {"cmin": min(one["cmin"], two["cmin"]), "cmax": max(one["cmax"], two["cmax"])}


def _ends(heat: Any) -> tuple[float, float]:
    if heat.zmin is not None and heat.zmax is not None:
        return float(heat.zmin), float(heat.zmax)
    values = np.asarray([[np.nan if each is None else each for each in line] for line in heat.z], dtype=float)
    return (float(np.nanmin(values)), float(np.nanmax(values))) if np.isfinite(values).any() else (0.0, 1.0)
