"""The page of results, made from the rows of one run: `python -m tests.benchmarks.page` writes it anew from the kept rows."""

import json
from pathlib import Path

from unlearnviz.numbers import number

HERE = Path(__file__).parent
ROWS, PAGE = HERE / "results" / "gradients.json", HERE / "README.md"
LIBRARIES = ("captum", "kronfluence", "dattri")

OPENING = """# What was measured

For every taught text: how hard it pulls at each group of parameters, and how far it pulls the way of the texts to forget.
`./run bench gradients --peers --page` measures it anew and writes this page from [the rows](results/gradients.json) of that run.

{conditions}

## How to read it

Speeds are ratios of variants that took turns in one process, so that a busy machine slows both sides; milliseconds suffer from
its load in full. "An epoch" is one plain training pass over the same texts with transformers: forward with labels, full backward.
A target that was missed says so.
"""

OWN = "## Our own pass\n"

BESIDES = """## Other libraries, on the same model and the same texts

The row of a way to use a library is its time over that of our one pass, which gives all groups of parameters, both uses of the embedding,
every token and all norms. What a library was given in its favour: padding only where it takes batches, texts of like length
together, the faster attention and activation of the shipped model unless a row says otherwise, weights in memory. Scores are
compared column by column, float32 on both sides, and a difference is in units of the two norms that are multiplied.

- **captum** (TracInCP) gives one sum over the layers it is asked for, so every layer takes a run over all texts. Its fast way in
  batches knows linear layers and convolutions only: of GPT-2 as it is nothing is left, which ends in a bare `StopIteration`.
- **kronfluence** follows linear layers and convolutions. GPT-2's layers are `Conv1D`: it passes over them in silence, and
  scores only the head until the model is rewritten. The embedding as input, positions and LayerNorm are never scored. Installed
  with all it asks for it brings torchvision, whose ordinary build stops `import transformers` beside the CPU build of torch.
- **dattri** differentiates text by text through one flat vector of all parameters. With the attention that transformers loads
  and a mask for padded texts, transformers looks into the mask's values and `vmap` stops; and `projector_kwargs=None` leaves its
  projection on.

"not reached" is a figure that could not be had; the last column then has the library's own words.
"""


def page(rows):
    """The page, from rows as `--json` writes them."""
    began = [row for row in rows if row["name"].startswith("load of the machine")]
    rest = [row for row in rows if row not in began]
    theirs = [row for row in rest if row["name"].startswith(tuple(f"{library}:" for library in LIBRARIES))]
    parts = [OPENING.format(conditions=_conditions(began))]
    if ours := [row for row in rest if row not in theirs]:
        parts += [OWN, _table(ours)]
    if theirs:
        parts += [BESIDES]
    for library in LIBRARIES if theirs else ():
        found = [row for row in theirs if row["name"].startswith(library)]
        parts += [f"### {library}\n", _table(found) if found else "Not measured in this run.\n"]
    return "\n".join(parts).rstrip() + "\n"


def _conditions(rows):
    if not rows:
        return ""
    loads = " and ".join(f"{row['value']:.1f} {row['name'].removeprefix('load of the machine ')}" for row in rows if row["value"] is not None)
    quiet = all((row["value"] or 0) < 1.5 for row in rows)
    words = f"Measured {rows[0]['base']}. Load of the machine: {loads or 'unknown'}"
    return words + (", this run included." if quiet else ": other work was running, so trust the ratios and not the milliseconds.")


def _table(rows):
    lines = ["| What | Measured | Target | Beside |", "|---|---:|---|---|"]
    for row in rows:
        shown = "not reached" if row["value"] is None else f"{number(row['value'])} {row['unit']}".strip()
        name = row["name"].partition(": ")[2] if row["name"].startswith(LIBRARIES) else row["name"]
        target = row["target"] + (", missed" if row["holds"] is False else "")
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in (name, shown, target, row["base"])) + " |")
    return "\n".join(lines) + "\n"


def write(source=ROWS, target=PAGE):
    target.write_text(page(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    write()
