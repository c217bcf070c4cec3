"""Slider: a native range input with a label, a value in words, and the keyboard the browser gives it."""

from __future__ import annotations

import anywidget
import traitlets

_ESM = """
export default {
  render({ model, el }) {
    el.classList.add("uv-slider");
    const label = document.createElement("label");
    const name = document.createElement("span");
    const input = document.createElement("input");
    const words = document.createElement("output");
    input.type = "range";
    label.append(name, input);
    el.append(label, words);
    const show = () => {
      name.textContent = model.get("label");
      input.min = model.get("minimum");
      input.max = model.get("maximum");
      input.step = model.get("step");
      input.value = model.get("value");
      input.disabled = model.get("disabled");
      words.textContent = model.get("words");
      input.setAttribute("aria-valuetext", model.get("words") || String(model.get("value")));
    };
    const names = ["label", "minimum", "maximum", "step", "value", "disabled", "words"];
    names.forEach((each) => model.on(`change:${each}`, show));
    input.addEventListener("input", () => { model.set("value", Number(input.value)); model.save_changes(); });
    show();
    return () => names.forEach((each) => model.off(`change:${each}`, show));
  },
};
"""

_CSS = """
.uv-slider { width: 100%; font-size: 13px; color: var(--jp-ui-font-color1, #222); }
.uv-slider label { display: flex; gap: 8px; align-items: center; }
.uv-slider label span { flex: 0 0 auto; }
.uv-slider input { flex: 1 1 auto; min-width: 80px; accent-color: #0072b2; }
.uv-slider output { display: block; min-height: 1.3em; }
.uv-slider input:focus-visible { outline: 2px solid #0072b2; outline-offset: 2px; }
"""


class Slider(anywidget.AnyWidget):
    """A labelled slider; `value` is a number from `minimum` to `maximum` in steps of `step`."""

    _esm = _ESM
    _css = _CSS

    label = traitlets.Unicode().tag(sync=True)
    minimum = traitlets.Float(0.0).tag(sync=True)
    maximum = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Float(1.0).tag(sync=True)
    value = traitlets.Float(0.0).tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)
