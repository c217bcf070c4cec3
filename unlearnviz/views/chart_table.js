// The numbers of a figure as HTML tables: for readers of the page who do not see the picture, and for the keyboard.
// Everything is written with textContent.

const MOST = { rows: 200, columns: 60 };
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
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
}

const titled = (axis, otherwise) => written(axis?.title?.text ?? axis?.title ?? otherwise);
const named = (trace, curve) => written(trace.name ?? `series ${curve + 1}`);

// What a click on the point's number tells Python: the same as a click on the point itself (chart.js).
function pointed(trace, curve, point, { x, y, z = null }) {
  const at = (value) => [point].flat().reduce((part, index) => part?.[index], list(value)) ?? null;
  const [name, text] = [trace.name ?? null, at(trace.text)];
  return { curve, name: readable(name), point, x: readable(x), y: readable(y), z, text: readable(text), customdata: at(trace.customdata) };
}

// One table per heat map, one for all curves that share their first column, one each otherwise:
// {caption, head: [text], rows: [{label, cells: [{value, click}]}]}.
function* tables({ data = [], layout = {} }) {
  const groups = new Map();
  for (const [curve, trace] of data.entries()) {
    const z = list(trace.z);
    const xAxis = layout[`xaxis${(trace.xaxis ?? "x").slice(1)}`];
    const yAxis = layout[`yaxis${(trace.yaxis ?? "y").slice(1)}`];
    if (Array.isArray(z[0])) {
      const [x, y] = [list(trace.x), list(trace.y)];
      const rows = z.map((row, i) => ({
        label: y[i] ?? i,
        cells: row.map((value, j) => ({ value, click: pointed(trace, curve, [i, j], { x: x[j] ?? j, y: y[i] ?? i, z: value }) })),
      }));
      const corner = `${titled(yAxis, "row")} / ${titled(xAxis, "column")}`;
      yield { caption: trace.name ? named(trace, curve) : "", head: [corner, ...z[0].map((_, j) => x[j] ?? j)], rows };
      continue;
    }
    const sideways = trace.orientation === "h";
    let [labels, values] = [list(trace.x), list(trace.y)];
    if (sideways) [labels, values] = [values, labels];
    if (!labels.length) labels = values.map((_, i) => i);
    const key = JSON.stringify([sideways, labels]);
    const [across, up] = [titled(xAxis, "x"), titled(yAxis, "y")];
    if (!groups.has(key)) {
      const rows = labels.map((label) => ({ label, cells: [] }));
      groups.set(key, { caption: sideways ? across : up, head: [sideways ? up : across], rows });
    }
    const group = groups.get(key);
    group.head.push(named(trace, curve));
    group.rows.forEach((row, point) => {
      const [x, y] = sideways ? [values[point], row.label] : [row.label, values[point]];
      row.cells.push({ value: values[point], click: pointed(trace, curve, point, { x, y }) });
    });
  }
  yield* groups.values();
}

// Fill `place` with the tables of `spec`; `choose(click)` makes every number a button, null leaves them text.
function fillTables(place, spec, choose) {
  place.replaceChildren();
  for (const { caption, head, rows } of tables(spec)) {
    const table = make("table");
    if (caption) table.append(make("caption", "", caption));
    const top = table.createTHead().insertRow();
    for (const text of head.slice(0, MOST.columns)) {
      const cell = make("th", "", written(text));
      cell.scope = "col";
      top.append(cell);
    }
    const body = table.createTBody();
    for (const { label, cells } of rows.slice(0, MOST.rows)) {
      const line = body.insertRow();
      const first = make("th", "", written(label));
      first.scope = "row";
      line.append(first);
      for (const { value, click } of cells.slice(0, MOST.columns - 1)) {
        const cell = line.insertCell();
        if (!choose) {
          cell.textContent = written(value);
          continue;
        }
        const button = make("button", "", written(value));
        button.type = "button";
        button.addEventListener("click", () => choose(click));
        cell.append(button);
      }
    }
    place.append(table);
    const hidden = [rows.length - MOST.rows, head.length - MOST.columns];
    if (hidden[0] > 0) place.append(make("p", "", `${hidden[0]} more rows are not listed.`));
    if (hidden[1] > 0) place.append(make("p", "", `${hidden[1]} more columns are not listed.`));
  }
  if (!place.childElementCount) place.append(make("p", "", "There are no numbers yet."));
}
