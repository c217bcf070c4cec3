// How a figure looks on this page, in a room (a projector) and on paper. Travels behind plotly.js, once per page (chart.py).
//
// Figures are drawn for white paper. A look says on what they stand and how large they are: {ink, family, ground, size, room, paper}.

const CLEAR = "rgba(0, 0, 0, 0)";
const ROOM = { letters: 18, line: 3, grown: 1.4 }; // pixels, pixels, times the height and the markers of the page
// One column of a journal is 3.3 inches wide, and letters of 8 points can be read there; a CSS pixel is 1/96 inch.
const PAPER = { inches: 3.3, width: 317, letters: 8 * 96 / 72, shrunk: 0.85, words: 24, across: 8, line: 42, dots: 600 };

const parts = (colour) => {
  const [, hex] = /^#([0-9a-f]{6})$/i.exec(colour) ?? [];
  if (hex) return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const numbers = /^rgba?\(/.test(colour) ? colour.match(/[\d.]+/g).map(Number) : [];
  return numbers.length === 3 || numbers[3] === 1 ? numbers.slice(0, 3) : null; // a name, or something to see through: left alone
};

function luminance(rgb) {
  const [red, green, blue] = rgb.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

const dark = (rgb) => luminance(rgb) < 0.18;

// A colour, moved towards white (or black) just as far as it takes to stand out from the ground by `ratio`; a grey stands out
// from a dark ground as far as it does from white.
function legible(colour, ground, ratio) {
  const from = typeof colour === "string" ? parts(colour) : null;
  if (!from) return colour;
  const grey = Math.max(...from) - Math.min(...from) < 16 && dark(ground);
  const wanted = grey ? Math.min(Math.max(ratio, contrast(from, [255, 255, 255])), 10) : ratio;
  if (contrast(from, ground) >= (luminance(from) > 0.5 ? ratio : wanted)) return colour;
  const end = dark(ground) ? 255 : 0;
  let mixed = from;
  for (let share = 0.04; share <= 1 && contrast(mixed, ground) < wanted; share += 0.04) {
    mixed = from.map((part) => Math.round(part + (end - part) * share));
  }
  return `rgb(${mixed.join(", ")})`;
}

// Call `visit(holder, key, inFont)` for all settings of a figure, not for its data.
function walkSettings(holder, visit, inFont = false) {
  for (const [key, value] of Object.entries(holder)) {
    const each = Array.isArray(value) ? value[0] : value;
    if (["customdata", "meta", "colorscale", "template"].includes(key)) continue;
    if (each !== null && typeof each === "object" && !Array.isArray(each) && !(each instanceof ArrayBuffer)) {
      for (const part of Array.isArray(value) ? value : [value]) walkSettings(part, visit, /font$/.test(key));
    } else visit(holder, key, inFont);
  }
}

// Letters stand out by 4.5:1 on every ground; lines and marks are made for white, and lightened where the ground is dark.
function recolour(figure, ground) {
  walkSettings(figure, (holder, key, inFont) => {
    if (!/^(color|fillcolor|fgcolor)$/.test(key) || !(inFont || dark(ground))) return;
    const seen = (colour) => legible(colour, ground, inFont ? 4.5 : 3);
    holder[key] = Array.isArray(holder[key]) ? holder[key].map(seen) : seen(holder[key]);
  });
}

const times = (size, factor) => (Array.isArray(size) ? size.map((each) => each * factor) : typeof size === "number" ? size * factor : size);

function resize(figure, letters, marks, line) {
  walkSettings(figure, (holder, key, inFont) => {
    if (inFont && key === "size") holder.size = letters(holder.size);
  });
  for (const { marker, mode = "", line: drawn } of figure.data) {
    if (marker?.size !== undefined) marker.size = times(marker.size, marks);
    if (drawn && mode.includes("lines")) drawn.width = Math.max(line, drawn.width ?? 2);
  }
  for (const { type, line: drawn } of figure.layout.shapes ?? []) {
    if (type === "line" && drawn) drawn.width = Math.max(line, drawn.width ?? 2);
  }
}

// The ends of lines, by name: {x, y, text, colour, leftwards}, in values of their axes.
function ends({ data, layout }) {
  const last = new Map();
  const shown = new Set();
  const name = (trace) => trace.legendgroup ?? trace.name;
  for (const trace of data) {
    const drawn = (trace.type ?? "scatter") === "scatter" && trace.mode?.includes("lines") && trace.name && trace.line?.color;
    if (!drawn || layout.showlegend === false) continue;
    if (trace.showlegend !== false) shown.add(name(trace));
    const [xs, ys] = [list(trace.x), list(trace.y)];
    const at = ys.findLastIndex((value, k) => Number.isFinite(value) && Number.isFinite(xs[k]));
    if (at >= 0) last.set(name(trace), { x: xs[at], y: ys[at], text: trace.name, colour: trace.line.color, leftwards: xs[at - 1] > xs[at] });
  }
  return new Map([...last].filter(([key]) => shown.has(key)));
}

// In a room a line carries its name where it ends, so that nobody has to look up a legend; names that would lie on each
// other are pushed apart, and one whose line comes from the right stands above it.
function nameLines(figure, ground) {
  const { data, layout } = figure;
  const found = ends(figure);
  if (!found.size) return;
  const scale = (axis, value) => (axis?.type === "log" ? Math.log10(value) : value);
  const values = data.flatMap((trace) => list(trace.y)).filter((each) => Number.isFinite(each) && (layout.yaxis?.type !== "log" || each > 0));
  const [low, high] = layout.yaxis?.range ?? [Math.min(...values), Math.max(...values)].map((each) => scale(layout.yaxis, each));
  const tall = layout.height - (layout.margin?.t ?? 44) - (layout.margin?.b ?? 44) - ROOM.letters;
  const up = (y) => ((scale(layout.yaxis, y) - low) / (high - low || 1)) * tall; // pixels above the lower end
  const lines = [...found.values()].filter(({ y }) => Number.isFinite(up(y))).sort((a, b) => up(a.y) - up(b.y));
  const gap = 1.25 * ROOM.letters;
  let [floor, places] = [-Infinity, []];
  for (const { y, leftwards } of lines) places.push((floor = Math.max(up(y) + (leftwards ? gap : 0), floor + gap)));
  for (let k = places.length - 1, roof = Math.max(tall, gap * (places.length - 1)); k >= 0; k -= 1, roof -= gap) places[k] = Math.min(places[k], roof);
  const together = lines.length > 1 && lines.every(({ x }) => x === lines[0].x); // then beyond the plot, clear of all points
  const named = lines.map(({ x, y, text, colour }, k) => ({
    ...(together ? { x: 1, xref: "x domain" } : { x: scale(layout.xaxis, x), xref: "x" }), xanchor: "left", xshift: 10,
    y: scale(layout.yaxis, y), yshift: places[k] - up(y), text, showarrow: false,
    font: { size: ROOM.letters, color: legible(colour, ground, 4.5) },
  }));
  layout.annotations = [...(layout.annotations ?? []), ...named];
  const longest = Math.max(...lines.map(({ text }) => readable(text).length));
  layout.margin = { ...layout.margin, r: Math.max(layout.margin?.r ?? 0, 24 + 0.56 * ROOM.letters * longest) };
  for (const trace of data) if (found.has(trace.legendgroup ?? trace.name)) trace.showlegend = false;
  if (!data.some((trace) => trace.name && trace.showlegend !== false)) layout.showlegend = false;
}

// High enough for a line of letters beside every row of bars or cells.
function heightOfRoom({ data, layout }) {
  const rows = new Set(data.flatMap((trace) => list(trace.y)).filter((each) => typeof each === "string")).size;
  const needed = Math.max(rows, list(layout.yaxis?.ticktext).length) * 1.5 * ROOM.letters + 110;
  return Math.round(Math.max(layout.height * ROOM.grown, rows > 60 ? 0 : needed)); // more rows than these have no names
}

const wrapped = (text) => text.split("<br>").map((line) => line.replace(new RegExp(`(.{1,${PAPER.line}})(\\s+|$)`, "g"), "$1\n").trim().replaceAll("\n", "<br>")).join("<br>");
const short = (text) => (typeof text === "string" && readable(text).length > PAPER.words ? `${readable(text).slice(0, PAPER.words - 1)}…`.replace(/&/g, "&amp;").replace(/</g, "&lt;") : text);

// One column: narrow margins that grow with the labels, the legend above the plot, long words cut, long titles in lines.
function narrow(figure) {
  const { data, layout } = figure;
  layout.margin = { l: 8, r: 8, t: 8, b: 8 };
  layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" };
  for (const { colorbar } of [...data, layout.coloraxis ?? {}]) if (colorbar?.title) colorbar.title.font = { size: PAPER.letters };
  for (const name of ["x", "y"]) {
    const axis = (layout[`${name}axis`] = { ...layout[`${name}axis`], automargin: true });
    const words = [...new Set(data.flatMap((trace) => list(trace[name])).filter((each) => typeof each === "string"))];
    if (axis.ticktext) axis.ticktext = list(axis.ticktext).map(short);
    else if (words.some((each) => short(each) !== each)) {
      const every = name === "x" ? Math.ceil(words.length / PAPER.across) : 1; // else they lie on each other
      const some = words.filter((_, k) => k % every === 0);
      Object.assign(axis, { tickvals: some, ticktext: some.map(short), ...(name === "x" ? { tickangle: -90 } : {}) });
    }
    if (axis.title?.text) axis.title = { ...axis.title, text: wrapped(axis.title.text), standoff: 4, font: { size: PAPER.letters } };
  }
}

// What stands behind a node of the page.
function groundOf(node) {
  for (let each = node; each; each = each.parentElement) {
    const colour = parts(getComputedStyle(each).backgroundColor);
    if (colour) return colour;
  }
  return [255, 255, 255];
}

// The look of a place of the page.
function look(root) {
  const { color, fontFamily } = getComputedStyle(root);
  return { ink: color.match(/[\d.]+/g) ?? [34, 34, 34], family: fontFamily, ground: groundOf(root), room: Boolean(root.closest(".uv-projector")) };
}

const onPaper = { ink: [0, 0, 0], family: "Arial, Helvetica, sans-serif", ground: [255, 255, 255], paper: true };

// The page's colours and font, laid under the figure: whatever the figure itself sets, wins.
function themed(template, { ink: [red, green, blue], family }) {
  const faint = (alpha) => `rgba(${red}, ${green}, ${blue}, ${alpha})`;
  const axis = { gridcolor: faint(0.12), zerolinecolor: faint(0.25), linecolor: faint(0.4), tickcolor: faint(0.4) };
  const below = template.layout ?? {};
  const layout = {
    ...below,
    paper_bgcolor: CLEAR,
    plot_bgcolor: CLEAR,
    font: { size: 12, ...below.font, color: faint(1), family },
    xaxis: { ...below.xaxis, ...axis },
    yaxis: { ...below.yaxis, ...axis },
    title: { ...below.title, font: { size: 15, ...below.title?.font } },
    margin: { l: 56, r: 16, t: 44, b: 44, ...below.margin },
  };
  return { ...template, layout };
}

// A fresh figure {data, layout} in a look: coloured and sized where it stands, and `template` laid under it.
function dress(figure, template, { ground, room, paper }) {
  const { data, layout } = figure;
  layout.template = template;
  const opaque = layout.paper_bgcolor ? parts(layout.paper_bgcolor) : null; // a figure that brings its own ground
  layout.font = { size: template.layout.font.size, ...layout.font };
  if (layout.title?.text) layout.title.font = { size: 15, ...layout.title.font };
  recolour(figure, opaque ?? ground);
  if (room) {
    layout.height = heightOfRoom(figure);
    resize(figure, (size) => Math.max(ROOM.letters, size), ROOM.grown, ROOM.line);
    nameLines(figure, opaque ?? ground);
  }
  if (paper) {
    Object.assign(layout, { width: PAPER.width, height: Math.round(layout.height * PAPER.shrunk), autosize: false, paper_bgcolor: "#ffffff" });
    resize(figure, () => PAPER.letters, 0.75, 0);
    narrow(figure);
  }
  return { data, layout };
}
