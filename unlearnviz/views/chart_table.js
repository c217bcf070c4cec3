// The numbers of a figure as HTML tables: for readers of the page who do not see the picture, and for the keyboard.
// Everything is written with textContent.
//
// The `meta` of a trace says what its numbers mean where the figure draws others: {x: [labels], y: [labels], base: 10}, the
// last where z is drawn as a logarithm.

const PAGE = { rows: 200, columns: 60 }; // shown at once; buttons lead to the others
const DTYPES = {
  i1: Int8Array, u1: Uint8Array, u1c: Uint8ClampedArray, i2: Int16Array, u2: Uint16Array, i4: Int32Array,
  u4: Uint32Array, f4: Float32Array, f8: Float64Array,
};

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// What a synced value looks like to plotly: a fresh copy (plotly writes into it), buffers as ArrayBuffer.
function unpack(value) {
  if (value instanceof DataView) return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
  if (Array.isArray(value)) return value.map(unpack);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unpack(each)]));
}

// An array of the figure as a plain one, 1 or 2 dimensional: [n] or [rows][columns].
function list(value) {
  if (!value?.bdata) return Array.isArray(value) ? value : value === undefined ? [] : [value];
  const bytes = value.bdata instanceof DataView ? unpack(value.bdata) : value.bdata;
  const flat = Array.from(new (DTYPES[value.dtype] ?? Float64Array)(bytes));
  const shape = String(value.shape ?? flat.length).split(",").map(Number);
  if (shape.length < 2) return flat;
  return Array.from({ length: shape[0] }, (_, row) => flat.slice(row * shape[1], (row + 1) * shape[1]));
}

// A figure's text as a person reads it: without plotly's markup, its entities as characters (see plain.py).
function readable(value) {
  if (typeof value !== "string") return value;
  const signs = { amp: "&", lt: "<", gt: ">", nbsp: " ", "#123": "{" };
  const bare = value.replace(/<br\s*\/?>/gi, " ").replace(/<[^>]*>/g, "");
  return bare.replace(/&(amp|lt|gt|nbsp|#123);/g, (_, name) => signs[name]);
}

function written(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(readable(value));
  return Number.isInteger(value) ? String(value).replace("-", "−") : numeral(value); // steps and counts are written in full
}

const titled = (axis, otherwise) => written(axis?.title?.text ?? axis?.title ?? otherwise);
const named = (trace, curve) => written(trace.name ?? `series ${curve + 1}`);
const axisOf = (layout, trace, name) => layout[`${name}axis${(trace[`${name}axis`] ?? name).slice(1)}`];
const decoration = (trace) => trace.hoverinfo === "skip" && trace.showlegend === false; // lines between points that are there

// The values of a trace along one axis, in words where the figure has words for all of them.
function labels(trace, axis, name) {
  const [values, meant] = [list(trace[name]), list(trace.meta?.[name])];
  if (meant.length && (meant.length === values.length || !values.length)) return meant;
  const [ticks, words] = [list(axis?.tickvals), list(axis?.ticktext)];
  if (words.every((each) => !Number.isNaN(Number(each)))) return values;
  const found = values.map((each) => words[ticks.indexOf(each)]);
  return found.includes(undefined) ? values : found;
}

// The words that only the pointer would bring up; bars and maps have no others than those drawn.
function spoken(trace, count) {
  const words = list(trace.text);
  return words.length === count && trace.type !== "bar" && !trace.mode?.includes("text") ? words : null;
}

// Every point of a figure: {series, x, y, z, text, low, high}, none of them rounded; undefined where there is none.
function* points({ data = [], layout = {} }) {
  for (const [curve, trace] of data.entries()) {
    if (decoration(trace)) continue;
    const [series, z] = [named(trace, curve), list(trace.z)];
    const [x, y] = ["x", "y"].map((name) => labels(trace, axisOf(layout, trace, name), name));
    if (Array.isArray(z[0])) {
      for (const [i, row] of z.entries()) {
        for (const [j, value] of row.entries()) yield { series, x: x[j] ?? j, y: y[i] ?? i, z: meant(trace, value) };
      }
      continue;
    }
    const count = Math.max(x.length, y.length);
    const text = spoken(trace, count);
    const error = trace.error_x ?? trace.error_y;
    const [middle, up, down] = [list(trace.error_x ? trace.x : trace.y), list(error?.array), list(error?.arrayminus ?? error?.array)];
    for (let i = 0; i < count; i += 1) {
      const reach = up.length ? { low: middle[i] - down[i], high: middle[i] + up[i] } : {};
      yield { series, x: x[i] ?? i, y: y[i] ?? i, text: text?.[i], ...reach };
    }
  }
}

const meant = (trace, value) => (trace.meta?.base && typeof value === "number" ? trace.meta.base ** value : value);

// What a click on the point's number tells Python: the same as a click on the point itself (chart.js).
function pointed(trace, curve, point, { x, y, z = null }) {
  const at = (value) => [point].flat().reduce((part, index) => part?.[index], list(value)) ?? null;
  const [name, text] = [trace.name ?? null, at(trace.text)];
  return { curve, name: readable(name), point, x: readable(x), y: readable(y), z, text: readable(text), customdata: at(trace.customdata) };
}

// One table per heat map, one for all curves that share their first column, one each otherwise:
// {caption, head: [text], rows: [{label, cells: [{value, click}]}]}; a cell without a click is a remark to the one before.
function* tables({ data = [], layout = {} }) {
  const groups = new Map();
  for (const [curve, trace] of data.entries()) {
    if (decoration(trace)) continue;
    const z = list(trace.z);
    const [xAxis, yAxis] = ["x", "y"].map((name) => axisOf(layout, trace, name));
    const [xs, ys] = [labels(trace, xAxis, "x"), labels(trace, yAxis, "y")];
    const [across, up] = [titled(xAxis, "x"), titled(yAxis, "y")];
    if (Array.isArray(z[0])) {
      const [x, y] = [list(trace.x), list(trace.y)];
      const rows = z.map((row, i) => ({
        label: ys[i] ?? i,
        cells: row.map((value, j) => ({
          value: meant(trace, value),
          click: pointed(trace, curve, [i, j], { x: x[j] ?? j, y: y[i] ?? i, z: value }),
        })),
      }));
      const corner = `${titled(yAxis, "row")} / ${titled(xAxis, "column")}`;
      yield { caption: trace.name ? named(trace, curve) : "", head: [corner, ...z[0].map((_, j) => xs[j] ?? j)], rows };
      continue;
    }
    const sideways = trace.orientation === "h";
    let [first, values] = sideways ? [ys, xs] : [xs, ys];
    const raw = sideways ? [list(trace.y), list(trace.x)] : [list(trace.x), list(trace.y)];
    if (!first.length) first = raw[0] = values.map((_, i) => i);
    const key = JSON.stringify([sideways, first]);
    if (!groups.has(key)) {
      const rows = first.map((label) => ({ label, cells: [] }));
      groups.set(key, { caption: sideways ? across : up, head: [sideways ? up : across], rows });
    }
    const group = groups.get(key);
    const text = spoken(trace, first.length);
    group.head.push(named(trace, curve), ...(text ? ["in words"] : []));
    group.rows.forEach((row, point) => {
      const [x, y] = sideways ? [raw[1][point], raw[0][point]] : [raw[0][point], raw[1][point]];
      row.cells.push({ value: values[point], click: pointed(trace, curve, point, { x, y }) });
      if (text) row.cells.push({ value: text[point] });
    });
  }
  yield* groups.values();
}

// One page of one table; `choose(click)` makes every number a button, null leaves them text.
function page({ caption, head, rows }, from, choose) {
  const table = make("table");
  if (caption) table.append(make("caption", "", caption));
  const top = table.createTHead().insertRow();
  for (const text of [head[0], ...head.slice(1 + from.column, PAGE.columns + from.column)]) {
    const cell = make("th", "", written(text));
    cell.scope = "col";
    top.append(cell);
  }
  const body = table.createTBody();
  for (const { label, cells } of rows.slice(from.row, from.row + PAGE.rows)) {
    const line = body.insertRow();
    const first = make("th", "", written(label));
    first.scope = "row";
    line.append(first);
    for (const { value, click } of cells.slice(from.column, from.column + PAGE.columns - 1)) {
      const cell = line.insertCell();
      if (!choose || !click) {
        cell.textContent = written(value);
        if (!click) cell.className = "uv-chart-words";
        continue;
      }
      const button = make("button", "", written(value));
      button.type = "button";
      button.tabIndex = table.querySelector("button") ? -1 : 0; // one stop for Tab; arrows lead to the others (walk)
      button.addEventListener("click", () => choose(click));
      cell.append(button);
    }
  }
  return table;
}

// Buttons to the rows and columns beyond one page; `turn(what, by)` goes there.
function turning(head, rows, from, turn) {
  const bar = make("p", "uv-chart-pages");
  for (const [what, count, most] of [["rows", rows.length, PAGE.rows], ["columns", head.length - 1, PAGE.columns - 1]]) {
    if (count <= most) continue;
    const start = from[what.slice(0, -1)];
    const [before, after] = ["Earlier", "Later"].map((word) => {
      const button = make("button", "", `${word} ${what}`);
      button.type = "button";
      return button;
    });
    before.disabled = start === 0;
    after.disabled = start + most >= count;
    before.addEventListener("click", () => turn(what, -most, before.textContent));
    after.addEventListener("click", () => turn(what, most, after.textContent));
    bar.append(before, ` ${what} ${start + 1} to ${Math.min(start + most, count)} of ${count} `, after, " ");
  }
  return bar.childElementCount ? bar : null;
}

// Fill `place` with the tables of `spec`. `pages` remembers, from one filling to the next, which page of each is shown.
function fillTables(place, spec, choose, pages) {
  const held = place.contains(document.activeElement) ? position(place, document.activeElement) : null;
  const all = [...tables(spec)];
  place.replaceChildren(...all.map((table, k) => {
    const section = make("div");
    const from = (pages[k] ??= { row: 0, column: 0 });
    if (from.row >= table.rows.length) from.row = 0;
    if (from.column >= table.head.length - 1) from.column = 0;
    const fill = () => {
      const bar = turning(table.head, table.rows, from, (what, by, word) => {
        from[what.slice(0, -1)] += by;
        fill();
        const buttons = [...section.querySelectorAll(".uv-chart-pages button")].filter((each) => !each.disabled);
        (buttons.find((each) => each.textContent === word) ?? buttons.find((each) => each.textContent.endsWith(what)))?.focus();
      });
      section.replaceChildren(...[bar, page(table, from, choose)].filter(Boolean));
    };
    fill();
    return section;
  }));
  if (!all.length) place.append(make("p", "", "There are no numbers yet."));
  if (held) restore(place, held);
}

// Where the focus is in the tables, and to bring it back after they were filled anew.
function position(place, node) {
  const cell = node.closest("td");
  if (!cell) return [node.textContent];
  const section = [...place.children].findIndex((each) => each.contains(cell));
  return [node.textContent, section, cell.parentElement.rowIndex, cell.cellIndex];
}

function restore(place, [text, section, row, column]) {
  const again = section === undefined ? null : place.children[section]?.querySelector("table")?.rows[row]?.cells[column]?.querySelector("button");
  const same = () => [...place.querySelectorAll(".uv-chart-pages button")].find((each) => each.textContent === text && !each.disabled);
  (again ?? same() ?? place).focus({ preventScroll: true });
}

// Arrows, Home and End move between the numbers of a table.
function walk(event) {
  const cell = event.target.closest("td");
  if (!cell || event.ctrlKey || event.altKey || event.metaKey) return;
  const [line, at] = [cell.parentElement, cell.cellIndex];
  const along = [...line.cells].filter((each) => each.querySelector("button"));
  const place = along.indexOf(cell);
  const ways = {
    ArrowUp: () => line.previousElementSibling?.cells[at],
    ArrowDown: () => line.nextElementSibling?.cells[at],
    ArrowLeft: () => along[place - 1],
    ArrowRight: () => along[place + 1],
    Home: () => along[0],
    End: () => along.at(-1),
  };
  if (!(event.key in ways)) return;
  event.preventDefault(); // neither the region scrolls nor the dashboard takes the key
  const button = ways[event.key]()?.querySelector("button");
  if (!button) return;
  event.target.tabIndex = -1;
  button.tabIndex = 0;
  button.focus();
}
