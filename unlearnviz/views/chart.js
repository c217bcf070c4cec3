// The view of Chart (chart.py): picture, sentence, numbers. One picture is drawn at a time, always the latest figure,
// and only where it can be seen: a hidden chart waits until it gets a width.

const CONFIG = { displayModeBar: false, displaylogo: false, responsive: false, typesetMath: false };
const SHARED = { make, unpack, list, readable, points, titled }; // what the code behind plotly.js needs of ours (chart_plotly.js)

function build(el) {
  const root = make("div", "uv-chart");
  const plot = make("div", "uv-chart-plot");
  const summary = make("p", "uv-chart-summary");
  const note = make("p", "uv-chart-note");
  const foot = make("div", "uv-chart-foot");
  const numbers = make("details", "uv-chart-numbers");
  const scroll = make("div", "uv-chart-scroll");
  plot.setAttribute("role", "img");
  note.hidden = true;
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "The numbers of the chart");
  numbers.append(make("summary", "", "Show the numbers"), scroll);
  foot.append(numbers);
  root.append(plot, summary, note, foot);
  el.append(root);
  return { root, plot, summary, note, foot, numbers, scroll };
}

function clicked(points) {
  const [point] = points ?? [];
  if (!point) return null;
  const value = (each) => (typeof each === "number" && !Number.isFinite(each) ? null : (readable(each) ?? null));
  return {
    kind: "click",
    curve: point.curveNumber,
    name: value(point.data?.name),
    point: point.pointIndex ?? point.pointNumber ?? null,
    x: value(point.x),
    y: value(point.y),
    z: value(point.z),
    text: value(point.text ?? point.hovertext),
    customdata: point.customdata === undefined ? null : JSON.parse(JSON.stringify(point.customdata)),
  };
}

const around = (points) => points.map(({ customdata }) => JSON.parse(JSON.stringify(customdata ?? null)));

function render({ model, el }) {
  const over = new AbortController();
  const { signal } = over;
  const view = build(el);
  const { root, plot, foot, numbers, scroll } = view;
  const pages = []; // of the tables
  let [plotly, ours, menu, stale, busy, width] = [null, null, null, true, false, 0];
  let [space, theme, room] = [0, null, null]; // the width there is; the look of the page, until it changes; the dashboard that is watched

  function tell(text) {
    view.note.textContent = text;
    view.note.hidden = !text;
  }

  function words() {
    view.summary.textContent = model.get("summary");
    plot.setAttribute("aria-label", model.get("summary") || "Chart");
    tell(model.get("notice"));
  }

  function table() {
    if (!numbers.open) return;
    const choose = (click) => model.send({ kind: "click", ...JSON.parse(JSON.stringify(click)) });
    fillTables(scroll, model.get("spec"), model.get("clickable") ? choose : null, pages);
  }

  // Not by the width of the node: the page would be laid out to know it, once for every chart.
  const seen = () => space > 0 && (plot.checkVisibility?.() ?? plot.clientWidth > 0);

  async function draw() {
    if (busy || !plotly) return;
    busy = true;
    try {
      while (stale && !signal.aborted && seen()) {
        stale = false;
        await drawOnce();
      }
    } catch (error) {
      tell(`This chart could not be drawn: ${error.message}`);
    } finally {
      busy = false;
    }
  }

  // The template in the page's look, made once for both of them.
  function below() {
    const template = model.get("template");
    if (!theme) theme = { look: ours.look(root) };
    if (theme.of !== template) Object.assign(theme, { of: template, template: ours.themed(unpack(template), theme.look) });
    return theme;
  }

  function watch() {
    if (room) return;
    room = root.closest(".uv-dashboard");
    if (room) themes.observe(room, { attributes: true, attributeFilter: ["class"] });
  }

  async function drawOnce() {
    const revision = model.get("revision");
    const started = performance.now();
    const spec = model.get("spec");
    width = space;
    watch();
    if (spec.data) {
      const known = plot._fullLayout !== undefined;
      const { look, template } = below();
      const { data, layout } = ours.dress(unpack(spec), template, look);
      Object.assign(layout, { width, autosize: false, uirevision: layout.uirevision ?? "kept" });
      plot.style.minHeight = `${layout.height}px`;
      const before = margins();
      await plotly.react(plot, data, layout, CONFIG);
      if (known && margins() !== before) await plotly.redraw(plot); // its legend stood where the old margins end
      if (!known) listen();
    } else {
      plotly.purge(plot);
      plot.style.minHeight = "";
    }
    if (signal.aborted) return;
    menu.hidden = !spec.data;
    const took = performance.now() - started;
    root.dataset.took = took.toFixed(1);
    root.dataset.drawn = revision;
    if (model.get("drawn") === revision) return;
    model.set("drawn", revision);
    model.set("draw_milliseconds", took);
    model.save_changes();
  }

  function margins() {
    const { l, r, t, b } = plot._fullLayout?._size ?? {};
    return [l, r, t, b].join();
  }

  function listen() {
    plot.on("plotly_click", ({ points }) => answer(clicked(points)));
    plot.on("plotly_selected", (event) => event && model.send({ kind: "select", points: around(event.points) })); // none: a mere click
    plot.on("plotly_deselect", () => model.send({ kind: "select", points: [] }));
  }

  function answer(click) {
    if (click) model.send(click);
  }

  function refresh() {
    stale = true;
    draw();
  }

  const sized = new ResizeObserver(([{ contentRect }]) => {
    space = Math.floor(contentRect.width);
    if (space > 0 && space !== width) stale = true;
    draw();
  });
  const restyled = () => {
    theme = null;
    refresh();
  };
  const themes = new MutationObserver(restyled);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "data-jp-theme-light"] });
  // a theme's name may come before its colours do
  document.addEventListener("load", ({ target }) => target.tagName === "LINK" && restyled(), { capture: true, signal });
  const shown = () => ({ ...Object.fromEntries(["spec", "template", "summary"].map((name) => [name, model.get(name)])), root, config: CONFIG, width });
  scroll.addEventListener("keydown", walk);
  numbers.addEventListener("toggle", table);
  model.on("change:summary", words);
  model.on("change:notice", words);
  model.on("change:clickable", table);
  model.on("change:revision", () => { // the last of the traits that a new figure sets
    refresh();
    table();
  });
  words();

  const late = setTimeout(() => tell("Waiting for the kernel to draw this chart. The numbers below say the same."), 3000);
  sharedPlotly(model.get("library")).ready.then(
    (loaded) => {
      plotly = loaded;
      ours = loaded.unlearnviz(SHARED);
      menu = ours.saveMenu(plotly, shown);
      menu.hidden = true;
      foot.append(menu);
      tell(model.get("notice"));
      sized.observe(plot); // reports the present size at once, and so draws
    },
    (error) => tell(`This chart could not be drawn: ${error.message}. The numbers below say the same.`),
  ).finally(() => clearTimeout(late));

  return () => {
    over.abort();
    clearTimeout(late);
    sized.disconnect();
    themes.disconnect();
    plotly?.purge(plot);
    el.replaceChildren();
  };
}

function initialize({ model }) {
  const over = new AbortController();
  seekPlotly(model, over.signal);
  return () => over.abort();
}

export default { initialize, render };
