"""A page with charts and without any server: models of our own stand in for kernels that answer late, never, or at once."""

import base64
import json

from unlearnviz.views.chart import Chart, companion, plotly_js, wire

SETTING = """
async ({ esm, css, companion }) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  window.asked = [];                                     // the kernels that were asked for plotly.js, in order
  window.models = [];
  window.library = `window.runs = (window.runs ?? 0) + 1;
    if (typeof define === "function") define([], () => ({}));
    window.Plotly = { purges: 0, drawn: [],
      async react(plot, data, layout) { plot._fullLayout = {}; plot.on = () => {}; this.drawn.push(layout.width); },
      purge(plot) { delete plot._fullLayout; window.purged = (window.purged ?? 0) + 1; } };
    window.theirs = window.Plotly;` + companion;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const wired = (value) => {
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(wired);
    if ("base64" in value) return new DataView(bytes(value.base64).buffer);
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, wired(each)]));
  };
  window.add = async (kernel, { hidden = false, within = document.body, ...given } = {}) => {
    const { default: widget } = await import(url);
    const state = { library: "1", kernel, spec: { data: [{ y: [1, 2] }], layout: { height: 100 } }, template: {},
      summary: "One sentence.", notice: "", clickable: false, revision: 1, drawn: 0, ...wired(given) };
    const [heard, told] = [[], []];
    const model = {
      get: (name) => state[name], set: (name, value) => { state[name] = value; }, save_changes() {},
      on: (name, callback) => heard.push([name, callback]),
      send: (message) => (message.kind === "plotly" ? asked.push(kernel) : told.push(message)),
    };
    const fire = (name, ...args) => heard.filter(([each]) => each === name).forEach(([, callback]) => callback(...args));
    const el = document.createElement("div");
    el.hidden = hidden;
    within.append(el);
    const ends = [widget.initialize({ model }), widget.render({ model, el })];
    const answer = () => fire("msg:custom", { kind: "plotly" }, [new TextEncoder().encode(library)]);
    const update = (change = {}) => { Object.assign(state, wired(change)); state.revision += 1; fire("change:revision"); };
    models.push({ el, state, told, answer, update, close: () => ends.forEach((end) => end()) });
  };
}
"""
PANEL = """({ heading, recipe, style }) => {
  models.splice(0).forEach((model) => model.close());
  document.body.replaceChildren();
  delete document.body.dataset.jpThemeName;
  const dashboard = Object.assign(document.createElement("div"), { className: "uv-dashboard", style });
  const panel = Object.assign(document.createElement("div"), { className: "uv-panel" });
  panel.append(Object.assign(document.createElement("h3"), { className: "uv-heading", textContent: heading }));
  dashboard.append(panel);
  if (recipe) dashboard.dataset.recipe = recipe;
  document.body.append(dashboard);
}"""
DRAWN = "count => document.querySelectorAll('[data-drawn]').length === count"


def set_up(there):
    """Give an empty page `add(kernel)`, which puts a chart of that kernel on it, and `models`."""
    there.page.set_content("<!doctype html><title>A stage</title><body>")
    css = Chart._css if isinstance(Chart._css, str) else str(Chart._css)
    there.page.evaluate(SETTING, {"esm": str(Chart._esm), "css": css, "companion": companion()})
    return there


def travelled(figure):
    """A figure as the page gets it, its bytes as base64."""

    def plain(value):
        if isinstance(value, bytes):
            return {"base64": base64.b64encode(value).decode()}
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    spec, template = wire(figure)
    return json.loads(json.dumps({"spec": plain(spec), "template": plain(template)}))


def draw(there, figure, summary, *, heading="Perplexity", recipe="", style="width: 600px", clickable=False):
    """A figure in a panel of a dashboard, alone on the page, drawn by the real plotly.js, which comes with the first one."""
    there.page.evaluate(PANEL, {"heading": heading, "recipe": recipe, "style": style})
    given = {**travelled(figure), "summary": summary, "clickable": clickable}
    there.page.evaluate("given => add('one', { within: document.querySelector('.uv-panel'), ...given })", given)
    if there.page.evaluate("asked.length === 1 && !window.loaded"):
        there.page.evaluate("code => { window.library = code; window.loaded = true; models[0].answer(); }", plotly_js(gzip=False).decode())
    there.until(DRAWN, 1)
    return there.page.locator(".uv-chart")
