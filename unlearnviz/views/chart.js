// The view of Chart (chart.py): picture, sentence, numbers. One picture is drawn at a time, always the latest figure,
// and only where it can be seen: a hidden chart waits until it gets a width.

const CONFIG = { displayModeBar: false, displaylogo: false, responsive: false, typesetMath: false };

function build(el) {
  const root = make("div", "uv-chart");
  const plot = make("div", "uv-chart-plot");
  const summary = make("p", "uv-chart-summary");
  const note = make("p", "uv-chart-note");
  const foot = make("div", "uv-chart-foot");
  const numbers = make("details", "uv-chart-numbers");
  const scroll = make("div", "uv-chart-scroll");
  const save = make("button", "uv-chart-save", "Save the picture");
  plot.setAttribute("role", "img");
  note.hidden = true;
  save.type = "button";
  save.hidden = true;
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "The numbers of the chart");
  numbers.append(make("summary", "", "Show the numbers"), scroll);
  foot.append(numbers, save);
  root.append(plot, summary, note, foot);
  el.append(root);
  return { root, plot, summary, note, numbers, scroll, save };
}

// The page's colours and font, laid under the figure: whatever the figure itself sets, wins.
function themed(template, root) {
  const { color, fontFamily } = getComputedStyle(root);
  const [red, green, blue] = color.match(/[\d.]+/g) ?? [34, 34, 34];
  const faint = (alpha) => `rgba(${red}, ${green}, ${blue}, ${alpha})`;
  const clear = "rgba(0, 0, 0, 0)";
  const axis = { gridcolor: faint(0.12), zerolinecolor: faint(0.25), linecolor: faint(0.4), tickcolor: faint(0.4) };
  const below = template.layout ?? {};
  const layout = {
    ...below,
    paper_bgcolor: clear,
    plot_bgcolor: clear,
    font: { size: 12, ...below.font, color: faint(1), family: fontFamily },
    xaxis: { ...below.xaxis, ...axis },
    yaxis: { ...below.yaxis, ...axis },
    title: { ...below.title, font: { size: 15, ...below.title?.font } },
    margin: { l: 56, r: 16, t: 44, b: 44, ...below.margin },
  };
  return { ...template, layout };
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
  const { root, plot, numbers, scroll, save } = view;
  let [plotly, stale, busy, width] = [null, true, false, 0];

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
    fillTables(scroll, model.get("spec"), model.get("clickable") ? choose : null);
  }

  async function draw() {
    if (busy || !plotly) return;
    busy = true;
    try {
      while (stale && !signal.aborted && plot.clientWidth > 0) {
        stale = false;
        await drawOnce();
      }
    } catch (error) {
      tell(`This chart could not be drawn: ${error.message}`);
    } finally {
      busy = false;
    }
  }

  async function drawOnce() {
    const revision = model.get("revision");
    const started = performance.now();
    const { data, layout } = unpack(model.get("spec"));
    width = plot.clientWidth;
    save.hidden = !data;
    if (data) {
      const known = plot._fullLayout !== undefined;
      layout.template = themed(unpack(model.get("template")), root);
      Object.assign(layout, { width, autosize: false, uirevision: layout.uirevision ?? "kept" });
      plot.style.minHeight = `${layout.height}px`;
      await plotly.react(plot, data, layout, CONFIG);
      if (!known) listen();
    } else {
      plotly.purge(plot);
      plot.style.minHeight = "";
    }
    if (signal.aborted) return;
    const took = performance.now() - started;
    root.dataset.took = took.toFixed(1);
    root.dataset.drawn = revision;
    if (model.get("drawn") === revision) return;
    model.set("drawn", revision);
    model.set("draw_milliseconds", took);
    model.save_changes();
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

  const sized = new ResizeObserver(() => {
    if (plot.clientWidth > 0 && plot.clientWidth !== width) stale = true;
    draw();
  });
  const themes = new MutationObserver(refresh);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "data-jp-theme-light"] });
  save.addEventListener("click", () => { // on the page's colour: transparent, light letters would be lost elsewhere
    const colour = getComputedStyle(root).getPropertyValue("--jp-layout-color0").trim() || "white";
    const layout = { ...plot.layout, paper_bgcolor: plot.layout.paper_bgcolor ?? colour };
    const size = { format: "png", scale: 2, filename: "chart", width, height: plot.clientHeight };
    plotly?.downloadImage({ data: plot.data, layout, config: CONFIG }, size);
  });
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
  sharedPlotly(model.get("plotly_version")).ready.then(
    (loaded) => {
      plotly = loaded;
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
