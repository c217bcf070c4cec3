// The view of TokenText (tokens.py): rows of tokens, one line that writes the number out, a legend. textContent only.

const BLUE = "33, 102, 172";
const ORANGE = "217, 95, 2";
const DEEPEST = 0.5; // opacity at the ends of the scale: text stays readable on it, on light and on dark pages

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function written(value, unit) {
  if (value === null) return "no number";
  const number = typeof value === "number" ? numeral(value) : value;
  return unit ? `${number} ${unit}` : number;
}

// Spaces and line ends, which have no shape of their own, are drawn in the line that reads a token out.
const shown = (text) => text.replace(/\n/g, "↵").replace(/^ | $/g, "␣");
const spoken = (text) => text.replace(/\n/g, " new line ").trim() || "space";

function shade(value, [low, middle, high]) {
  if (typeof value !== "number") return null;
  const side = value < middle ? (middle - value) / (middle - low) : (value - middle) / (high - middle);
  const depth = Math.min(side, 1) * DEEPEST;
  return `rgba(${value < middle ? BLUE : ORANGE}, ${depth.toFixed(3)})`;
}

function legend(model) {
  const [low, middle, high] = model.get("scale");
  const place = make("p", "uv-tokens-legend");
  const half = (from, to) => {
    const bar = make("span", "uv-tokens-bar");
    bar.style.background = `linear-gradient(to right, rgba(${from}), rgba(${to}))`;
    bar.setAttribute("aria-hidden", "true");
    return bar;
  };
  const name = [model.get("label"), model.get("unit") && `in ${model.get("unit")}`].filter(Boolean).join(", ");
  const below = model.get("rows").some(({ tokens }) => tokens.some(([, value]) => value < middle));
  place.append(make("span", "", name ? `${name}:` : "scale:"));
  if (below) place.append(make("span", "", `${written(low, "")} or less`), half(`${BLUE}, ${DEEPEST}`, `${BLUE}, 0`));
  place.append(make("span", "", written(middle, "")));
  place.append(half(`${ORANGE}, 0`, `${ORANGE}, ${DEEPEST}`), make("span", "", `${written(high, "")} or more`));
  return place;
}

function render({ model, el }) {
  let over = false;
  const root = make("div", "uv-tokens");
  const grid = make("div", "uv-tokens-grid");
  const readout = make("p", "uv-tokens-readout");
  const foot = make("div", "uv-tokens-foot");
  const notice = make("p", "uv-tokens-notice");
  root.append(grid, readout, foot, notice);
  el.append(root);

  const options = (row) => [...row.querySelectorAll("[role=option]")];
  const hint = "Point at a word, or walk with the arrow keys, to read its number.";

  function read(node) {
    const [text, value, mark] = model.get("rows")[node.dataset.row].tokens[node.dataset.token];
    const words = [`“${shown(text)}”`, written(value, model.get("unit")), mark];
    readout.textContent = words.filter(Boolean).join(" · ");
  }

  function piece([text, value, mark], row, token, live) {
    const node = make(mark === "changed" ? "strong" : "span", "uv-token", text);
    if (mark) node.classList.add(`uv-token-${mark}`);
    const colour = shade(value, model.get("scale"));
    if (colour) node.style.backgroundColor = colour;
    if (typeof value === "string") node.classList.add("uv-token-odd");
    if (!live) return node;
    Object.assign(node.dataset, { row, token });
    node.setAttribute("role", "option");
    node.setAttribute("aria-selected", "false");
    node.setAttribute("aria-label", [spoken(text), written(value, model.get("unit")), mark].filter(Boolean).join(", "));
    node.tabIndex = -1;
    return node;
  }

  function line({ label, tokens }, row) {
    const cell = make("div", "uv-tokens-cell");
    if (label) cell.append(make("div", "uv-tokens-label", label));
    const text = make("div", "uv-tokens-text");
    const live = tokens.length > 0 && (model.get("clickable") || tokens.some(([, value]) => value !== null));
    text.append(...tokens.map((token, index) => piece(token, row, index, live)));
    if (live) {
      text.setAttribute("role", "listbox");
      text.setAttribute("aria-orientation", "horizontal");
      text.setAttribute("aria-label", [label, model.get("label")].filter(Boolean).join(": ") || "Tokens");
      text.firstChild.tabIndex = 0; // one stop for the Tab key in each row
    }
    cell.append(text);
    return cell;
  }

  function show() {
    const rows = model.get("rows");
    const { row, token } = root.contains(document.activeElement) ? document.activeElement.dataset : {};
    grid.style.setProperty("--uv-columns", model.get("columns"));
    grid.replaceChildren(...rows.map(line));
    const numbered = rows.some(({ tokens }) => tokens.some(([, value]) => value !== null));
    readout.hidden = !grid.querySelector("[role=option]");
    readout.textContent = hint;
    foot.replaceChildren(...(numbered ? [legend(model)] : []));
    notice.textContent = model.get("notice");
    notice.hidden = !model.get("notice");
    if (token !== undefined) grid.querySelector(`[data-row="${row}"][data-token="${token}"]`)?.focus();
  }

  function focus(node) {
    if (!node) return;
    for (const other of options(node.parentElement)) {
      other.tabIndex = other === node ? 0 : -1;
      other.setAttribute("aria-selected", String(other === node));
    }
    read(node);
    if (document.activeElement !== node) node.focus();
  }

  function choose(node) {
    if (node && model.get("clickable")) {
      model.send({ kind: "click", row: Number(node.dataset.row), token: Number(node.dataset.token) });
    }
  }

  const token = (event) => event.target.closest?.("[role=option]");
  grid.addEventListener("pointerover", (event) => token(event) && read(token(event)));
  grid.addEventListener("focusin", (event) => token(event) && focus(token(event)));
  grid.addEventListener("click", (event) => choose(token(event)));
  grid.addEventListener("keydown", (event) => {
    const node = token(event);
    if (!node || event.ctrlKey || event.altKey || event.metaKey) return;
    const row = options(node.parentElement);
    const at = row.indexOf(node);
    const texts = [...grid.querySelectorAll("[role=listbox]")];
    const beside = (step) => options(texts[texts.indexOf(node.parentElement) + step] ?? node.parentElement)[at];
    const moves = {
      ArrowRight: () => focus(row[at + 1]),
      ArrowLeft: () => focus(row[at - 1]),
      Home: () => focus(row[0]),
      End: () => focus(row.at(-1)),
      ArrowDown: () => focus(beside(1)),
      ArrowUp: () => focus(beside(-1)),
      Enter: () => choose(node),
      " ": () => choose(node),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has keys of its own
    moves[event.key]();
  });

  let asked = false;
  function later() { // several traits that change in one message, drawn once
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      if (!over) show();
    });
  }
  for (const name of ["rows", "label", "unit", "scale", "columns", "clickable", "notice"]) model.on(`change:${name}`, later);
  show();
  return () => {
    over = true;
    el.replaceChildren();
  };
}

export default { render };
