// Draws a PassageList (passages.py): only the rows in view exist, each as high as its text, and Python is asked for those that
// come into view. One stop for the Tab key; arrow and page keys go from row to row; the focused row exists also out of view.

const BEYOND = 300; // pixels above and below the view that are drawn, too
const GUESS = 60; // pixels of a row, before any was seen
const WINDOW = 40; // rows asked for at once

// How high rows are: measured ones as they are, the others as the measured ones are on average.
class Heights {
  constructor() {
    this.known = new Map();
    this.sum = 0;
  }

  get guess() {
    return this.known.size ? this.sum / this.known.size : GUESS;
  }

  of(index) {
    return this.known.get(index) ?? this.guess;
  }

  // Note a height; whether it is news.
  put(index, height) {
    const before = this.known.get(index);
    if (before !== undefined && Math.abs(before - height) < 0.5) return false;
    this.sum += height - (before ?? 0);
    this.known.set(index, height);
    return true;
  }

  above(index) {
    const { guess } = this;
    let pixels = index * guess;
    for (const [other, height] of this.known) if (other < index) pixels += height - guess;
    return pixels;
  }

  // The row at a height, one of `count`.
  at(pixels, count) {
    let [low, high] = [0, Math.max(0, count - 1)];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.above(middle) <= pixels) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function render({ model, el }) {
  el.classList.add("uv-passages");
  const view = make("div", "uv-passages-view");
  const list = make("ul", "");
  const empty = make("p", "");
  list.setAttribute("role", "list"); // a list without bullets is none to some screen readers
  view.append(list);
  el.append(view, empty);

  let [version, top, count, width] = [-1, null, 0, 0];
  let rows = new Map(); // index -> row, as far as Python has sent it
  let nodes = new Map(); // index -> its list item in the page
  let heights = new Heights();
  let asked = false;
  let wanted = null; // {index, kind}: the button that gets the focus once it is there
  let current = { index: 0, kind: "toggle" }; // the button at which Tab enters

  const held = () => (list.contains(document.activeElement) ? document.activeElement : null);
  const indexOf = (node) => Number(node.closest("li").dataset.index);
  const drawnRange = () => [
    heights.at(view.scrollTop - BEYOND, count),
    heights.at(view.scrollTop + view.clientHeight + BEYOND, count),
  ];

  function show() {
    if (!view.clientWidth) return; // hidden: drawn when it gets a width
    for (let turn = 0; turn < 4 && !fill(); turn += 1); // until the heights that were assumed are those that are there
    settle();
    ask();
  }

  // Draw what is in view; whether everything was as high as assumed.
  function fill() {
    const first = heights.at(view.scrollTop, count);
    const within = view.scrollTop - heights.above(first);
    const [from, to] = drawnRange();
    const drawn = count ? Array.from({ length: to - from + 1 }, (_, k) => from + k) : [];
    const kept = held() ? indexOf(held()) : -1;
    if (kept >= 0 && kept < count && (kept < from || kept > to)) drawn.splice(kept < from ? 0 : drawn.length, 0, kept);
    const old = nodes;
    nodes = new Map(drawn.map((index) => [index, node(index, old.get(index))]));
    for (const [index, each] of old) if (nodes.get(index) !== each) each.remove();
    let last = null;
    for (const each of nodes.values()) { // in order, moving none that is in its place: moving would take the focus away
      const next = last ? last.nextSibling : list.firstChild;
      if (next !== each) list.insertBefore(each, next);
      last = each;
    }
    let news = false;
    for (const [index, each] of nodes) if (rows.has(index)) news = heights.put(index, each.offsetHeight) || news;
    for (const [index, each] of nodes) each.style.top = `${heights.above(index)}px`;
    const height = `${heights.above(count)}px`;
    news = news || list.style.height !== height;
    list.style.height = height;
    const place = heights.above(first) + within; // what is read stays where it is
    if (view.scrollTop > 0 && Math.abs(place - view.scrollTop) > 1) view.scrollTop = place;
    return !news;
  }

  function node(index, before) {
    const row = rows.get(index);
    if (before && before.dataset.here === String(Boolean(row))) return before;
    const made = item(row, model.get("disabled"));
    Object.assign(made.dataset, { index, here: Boolean(row) });
    made.setAttribute("aria-setsize", count);
    made.setAttribute("aria-posinset", index + 1);
    return made;
  }

  // Give the focus to who waits for it; Tab enters at the row that has it, else had it, else at the first in view.
  function settle() {
    const elsewhere = document.activeElement !== document.body && !el.contains(document.activeElement);
    if (elsewhere) wanted = null;
    const buttons = wanted === null ? null : nodes.get(wanted.index);
    const button = buttons?.querySelector(`[data-kind=${wanted.kind}]`) ?? buttons?.querySelector("button");
    if (button) {
      wanted = null;
      button.focus({ preventScroll: true });
    }
    if (held()) current = { index: indexOf(held()), kind: held().dataset.kind };
    else if (!nodes.get(current.index)?.querySelector(`[data-kind=${current.kind}]`)) {
      current = { index: heights.at(view.scrollTop, count), kind: "toggle" };
    }
    for (const [index, each] of nodes) {
      for (const other of each.querySelectorAll("button")) {
        other.tabIndex = index === current.index && other.dataset.kind === current.kind ? 0 : -1;
      }
    }
  }

  function ask() {
    if (asked || !count) return;
    const [from, to] = drawnRange();
    let missing = from;
    while (missing <= to && rows.has(missing)) missing += 1;
    if (missing > to) return;
    asked = true;
    model.send({ kind: "window", first: Math.max(0, missing - WINDOW / 4), size: WINDOW });
  }

  function take() {
    const shown = model.get("shown");
    if (shown.version === undefined) return;
    if (shown.version !== version) replace(shown);
    shown.rows.forEach((row, k) => rows.set(shown.first + k, row));
    asked = false;
    show();
  }

  // All rows are others. The focus stays at the same passage, or at the row in its place.
  function replace(shown) {
    const focused = held();
    const { passage, kind } = focused?.dataset ?? {};
    const same = shown.rows.findIndex(({ id }) => id === passage);
    const index = focused ? indexOf(focused) : 0;
    [version, count] = [shown.version, model.get("count")];
    if (shown.top !== top) { // other texts are read from the top
      view.scrollTop = 0;
      heights = new Heights();
    }
    top = shown.top;
    rows = new Map();
    nodes.forEach((each) => each.remove());
    nodes = new Map();
    view.hidden = count === 0;
    empty.textContent = count ? "" : model.get("empty");
    empty.tabIndex = -1;
    if (!focused) return;
    if (!count) empty.focus();
    else go(same < 0 ? Math.min(index, count - 1) : shown.first + same, kind);
  }

  // Scroll a row into view, and give it the focus once it is there.
  function go(index, kind) {
    const [above, height] = [heights.above(index), heights.of(index)];
    list.style.height = `${heights.above(count)}px`;
    if (above < view.scrollTop) view.scrollTop = above;
    else if (above + height > view.scrollTop + view.clientHeight) view.scrollTop = above + height - view.clientHeight;
    wanted = { index, kind };
  }

  function key(event) {
    const button = event.target.closest("button");
    if (!button || event.ctrlKey || event.altKey || event.metaKey) return;
    const here = indexOf(button);
    const page = Math.max(1, Math.floor(view.clientHeight / heights.guess));
    const places = { ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: count - 1 };
    if (event.key in places) {
      go(Math.max(0, Math.min(places[event.key], count - 1)), button.dataset.kind);
      show();
    } else if (event.key === "ArrowRight") button.nextElementSibling?.focus();
    else if (event.key === "ArrowLeft") button.previousElementSibling?.focus();
    else return;
    event.preventDefault();
  }

  function settings() {
    list.setAttribute("aria-label", model.get("label"));
    view.style.maxHeight = `${model.get("height")}px`;
    empty.textContent = count ? "" : model.get("empty");
  }

  function able() {
    for (const button of list.querySelectorAll("button")) {
      const off = model.get("disabled") || button.dataset.never === "true";
      button.setAttribute("aria-disabled", String(off));
    }
  }

  const sized = new ResizeObserver(() => {
    if (view.clientWidth === width) return;
    width = view.clientWidth;
    heights = new Heights(); // a text takes other lines now
    show();
  });
  list.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button?.getAttribute("aria-disabled") === "false") model.send({ kind: button.dataset.kind, id: button.dataset.passage });
  });
  list.addEventListener("keydown", key);
  list.addEventListener("focusin", settle);
  view.addEventListener("scroll", show, { passive: true });
  const heard = { shown: take, label: settings, empty: settings, height: settings, disabled: able };
  for (const [name, callback] of Object.entries(heard)) model.on(`change:${name}`, callback);
  settings();
  take();
  sized.observe(el);
  return () => {
    sized.disconnect();
    for (const [name, callback] of Object.entries(heard)) model.off(`change:${name}`, callback);
  };
}

export default { render };
