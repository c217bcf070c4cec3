// Save: the figure as SVG, PNG or CSV, made in the page. Each says in itself what it shows, of which recipe, and by whom it
// was drawn. Travels behind plotly.js, once per page (chart.py).

const CONTENT = { svg: "image/svg+xml", png: "image/png", csv: "text/csv;charset=utf-8" };
const SVG = "http://www.w3.org/2000/svg";
const CRC = Uint32Array.from({ length: 256 }, (_, k) => {
  let rest = k;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1;
  return rest >>> 0;
});

// What a saved chart says about itself: {Title, Description, Recipe, Software}; a chart outside of a dashboard has no recipe.
function facts(root, summary) {
  const heading = root.closest(".uv-panel")?.querySelector(".uv-heading")?.textContent ?? "";
  const title = heading.replace(/[\s?▸▾]+$|^[\s▸▾]+/g, "") || summary.split(/\s+/).slice(0, 6).join(" ") || "Chart";
  const [step] = /\bstep \d+/i.exec(summary) ?? [];
  const recipe = root.closest(".uv-dashboard")?.dataset.recipe;
  return {
    Title: step && !title.includes(step) ? `${title}, ${step}` : title,
    Description: summary,
    ...(recipe ? { Recipe: recipe } : {}),
    Software: `unlearnviz ${VERSION}`,
  };
}

const fileName = (title, kind) => `${title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "chart"}.${kind}`;

// ---- SVG

function described(code, said, paper) {
  const whole = new DOMParser().parseFromString(code, CONTENT.svg);
  const root = whole.documentElement;
  const node = (name, text) => Object.assign(whole.createElementNS(SVG, name), { textContent: text });
  const lines = Object.entries(said).map(([name, text]) => `${name}: ${text}`);
  root.prepend(node("title", said.Title), node("desc", said.Description), node("metadata", lines.join("\n")));
  if (paper) {
    const [width, height] = ["width", "height"].map((name) => parseFloat(root.getAttribute(name)));
    root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    root.setAttribute("width", `${PAPER.inches}in`);
    root.setAttribute("height", `${((PAPER.inches * height) / width).toFixed(3)}in`);
  }
  return new XMLSerializer().serializeToString(whole);
}

// ---- PNG

function chunk(type, content) {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(content, 8);
  const sum = bytes.subarray(4, 8 + content.length).reduce((rest, byte) => CRC[(rest ^ byte) & 255] ^ (rest >>> 8), 0xffffffff);
  view.setUint32(8 + content.length, ~sum >>> 0);
  return bytes;
}

// The facts as text in UTF-8 (iTXt), and on paper the size at which it prints (pHYs), behind the first chunk (33 bytes).
function annotated(bytes, said, paper) {
  const texts = Object.entries(said).map(([name, text]) => chunk("iTXt", new TextEncoder().encode(`${name}\0\0\0\0\0${text}`)));
  const size = new Uint8Array(9);
  const dots = Math.round(PAPER.dots / 0.0254); // per metre
  [0, 4].forEach((at) => new DataView(size.buffer).setUint32(at, dots));
  size[8] = 1;
  return [bytes.subarray(0, 33), ...(paper ? [chunk("pHYs", size)] : []), ...texts, bytes.subarray(33)];
}

// ---- CSV (RFC 4180), one line per point; numbers as they are, not rounded

// A spreadsheet runs what begins like a formula: an apostrophe makes it text.
const harmless = (text) => (/^[\s\u0000-\u001f]*[=+\-@]/.test(text) ? `'${text}` : text);

function cell(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return Number.isNaN(value) ? "nan" : Number.isFinite(value) ? String(value) : value > 0 ? "inf" : "-inf";
  const text = harmless(String(readable(value)));
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csv(spec, said) {
  const { data = [], layout = {} } = spec;
  const heads = { series: "series", x: titled(layout.xaxis, "x"), y: titled(layout.yaxis, "y") };
  const bar = data.find((trace) => trace.z)?.colorbar ?? layout.coloraxis?.colorbar;
  Object.assign(heads, { z: titled(bar, "value"), text: "in words", low: "lowest", high: "highest" });
  const all = [...points(spec)];
  const used = Object.keys(heads).filter((name) => all.some((point) => point[name] !== undefined));
  const seen = (layout.annotations ?? []).map(({ text }, k) => [`Label ${k + 1}`, readable(text)]);
  const remarks = [...Object.entries(said), ...seen].map(([name, text]) => `# ${name}: ${String(text).replace(/\s+/g, " ").replace(/([,;]\s*)([=+\-@])/g, "$1'$2")}`);
  const lines = [used.map((name) => cell(heads[name])), ...all.map((point) => used.map((name) => cell(point[name])))];
  return `${[...remarks, ...lines.map((line) => line.join(","))].join("\r\n")}\r\n`;
}

// ---- the menu

async function picture(plotly, kind, { spec, template, root, paper, config, width }) {
  const there = paper ? onPaper : look(root);
  const { data, layout } = dress(unpack(spec), themed(unpack(template), there), there);
  const [red, green, blue] = there.ground;
  layout.paper_bgcolor ??= `rgb(${red}, ${green}, ${blue})`; // transparent, light letters would be lost elsewhere
  Object.assign(layout, { width: layout.width ?? width, autosize: false });
  const size = { format: kind, width: layout.width, height: layout.height, scale: kind === "svg" ? 1 : paper ? (PAPER.inches * PAPER.dots) / PAPER.width : 2 };
  const url = await plotly.toImage({ data, layout, config }, size);
  const content = url.slice(url.indexOf(",") + 1);
  return kind === "svg" ? decodeURIComponent(content) : Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
}

function download(name, content, kind) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob(Array.isArray(content) ? content : [content], { type: CONTENT[kind] }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may read it late
}

// Buttons for the three kinds and a switch for paper; `shown()` gives {spec, template, summary, root, config, width}.
function saveMenu(plotly, shown) {
  const menu = make("details", "uv-chart-save");
  const kinds = make("div", "uv-chart-kinds");
  const label = make("label", "", "paper style");
  const paper = make("input");
  const said = make("span", "uv-chart-saved");
  kinds.setAttribute("role", "group");
  kinds.setAttribute("aria-label", "Save this chart as");
  said.setAttribute("role", "status");
  paper.type = "checkbox";
  label.title = `One column of a journal: ${PAPER.inches} inches (84 mm) wide, letters of 8 points, on white`;
  label.prepend(paper);
  for (const kind of Object.keys(CONTENT)) {
    const button = make("button", "", kind.toUpperCase());
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        const { summary, ...chart } = shown();
        const about = facts(chart.root, summary);
        const name = fileName(about.Title, kind);
        const drawn = kind === "csv" ? csv(chart.spec, about) : await picture(plotly, kind, { ...chart, paper: paper.checked });
        download(name, kind === "svg" ? described(drawn, about, paper.checked) : kind === "png" ? annotated(drawn, about, paper.checked) : drawn, kind);
        said.textContent = `Saved as ${name}.`;
      } catch (error) {
        said.textContent = `This chart could not be saved: ${error.message}.`;
      }
    });
    kinds.append(button);
  }
  kinds.append(label, said);
  menu.append(make("summary", "", "Save"), kinds);
  return menu;
}
