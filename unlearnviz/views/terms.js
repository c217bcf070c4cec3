// The "?" beside labels (explained.py). Python marks a widget with the class uv-term-<name>; here it gets a button that opens
// what the word means. One box for the whole dashboard, in the page's top layer, so that nothing cuts it off. textContent only.

const MARK = "uv-term-";
const EDGE = 8; // pixels between the box and the edge of the page

// Where the button of a widget goes: after the first of these that it has, or at the end of it.
const AFTER = [".uv-fold-heading", ".uv-fold", ".uv-heading", ".uv-slider label", ".widget-label-basic", ".widget-label"];
const WITHIN = [".uv-chart-foot", ".uv-tokens", ".uv-table"];

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function button(className, text, press) {
  const node = make("button", className, text);
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

const named = (node) => [...node.classList].filter((each) => each.startsWith(MARK)).map((each) => each.slice(MARK.length));

function insert(node, made) {
  if (node.tagName === "TH") return node.append(made);
  const within = WITHIN.map((each) => node.querySelector(each)).find(Boolean);
  if (within) return within.append(made);
  const found = AFTER.map((each) => [...node.querySelectorAll(each)].find((one) => one.textContent.trim())).find(Boolean);
  if (!found) return undefined;
  found.after(made);
  found.parentElement.classList.add("uv-explained");
  return undefined;
}

function render({ model, el }) {
  const over = new AbortController();
  const { signal } = over;
  const box = make("div", "uv-term-box");
  const title = make("p", "uv-term-title");
  const body = make("div", "uv-term-body");
  const more = make("p", "uv-term-more");
  const buttons = new WeakMap(); // marked element -> its button
  let [open, own] = [null, []]; // the button whose box is open, and the words of its label

  box.id = `uv-term-${model.get("prefix")}`;
  title.id = `${box.id}-title`;
  box.tabIndex = -1; // it takes the focus when it opens, so that it is read, and scrolled by keys
  box.setAttribute("role", "dialog");
  box.setAttribute("aria-labelledby", title.id);
  box.append(title, body, more, button("uv-term-close", "Close", () => close({ back: true })));
  if (box.showPopover) box.popover = "manual";
  box.hidden = true;

  // A setting of a method that was written after the page opened explains itself by its tooltip.
  function lookUp(name, node) {
    const known = model.get("terms")[name];
    if (known || !node) return known;
    const sentence = node.querySelector("[title]")?.title || node.title;
    return sentence && { title: name.split(":").pop().replaceAll("-", " "), sentence, also: [] };
  }

  function show(name, node) {
    const word = lookUp(name, node);
    const lines = [["Formula", word.formula], ["Which way is good", word.good], ["For example", word.example]];
    const list = make("dl", "");
    for (const [what, text] of lines) if (text) list.append(make("dt", "", what), make("dd", "", text));
    title.textContent = word.title;
    body.replaceChildren(make("p", "", word.sentence), list);
    const others = [...new Set([...own, ...word.also])].filter((each) => each !== name && model.get("terms")[each]);
    const links = others.map((each) => button("uv-term-link", model.get("terms")[each].title, () => show(each)));
    more.replaceChildren(...(links.length ? ["See also: ", ...links] : []));
    place();
    box.focus({ preventScroll: true });
  }

  // Below the button, or above it where there is more room, and never beyond the edge of the page.
  function place() {
    if (!open) return;
    const at = open.getBoundingClientRect();
    const [wide, high] = [document.documentElement.clientWidth, window.innerHeight];
    const [top, bottom] = [Math.min(at.top, high), Math.max(at.bottom, 0)]; // the button may have scrolled out of sight
    const below = high - bottom >= box.scrollHeight + 2 * EDGE || high - bottom >= top;
    box.style.maxHeight = `${(below ? high - bottom : top) - 2 * EDGE}px`;
    box.style.left = `${Math.max(EDGE, Math.min(at.left, wide - box.offsetWidth - EDGE))}px`;
    box.style.top = `${below ? bottom + 4 : top - 4 - box.offsetHeight}px`;
  }

  function close({ back = false } = {}) {
    if (!open) return;
    const before = open;
    open = null;
    before.setAttribute("aria-expanded", "false");
    if (box.matches(":popover-open")) box.hidePopover();
    box.hidden = true;
    if (back && before.isConnected) before.focus();
  }

  function press(made, names, node) {
    if (open === made) return close({ back: true });
    close();
    document.dispatchEvent(new CustomEvent("uv-term", { detail: box })); // at most one of the page is open
    [open, own] = [made, names];
    made.after(box);
    box.hidden = false;
    box.showPopover?.();
    made.setAttribute("aria-expanded", "true");
    show(names[0], node);
    return undefined;
  }

  function explain(node) {
    const names = named(node).filter((each) => lookUp(each, node));
    if (!names.length || buttons.get(node)?.isConnected) return;
    const made = button("uv-term", "?", () => press(made, names, node));
    made.setAttribute("aria-label", `What is ${lookUp(names[0], node).title}?`);
    made.setAttribute("aria-expanded", "false");
    made.setAttribute("aria-haspopup", "dialog");
    insert(node, made);
    buttons.set(node, made);
  }

  const inside = (target) => box.contains(target) || open?.contains(target);
  document.addEventListener("uv-term", ({ detail }) => detail !== box && close(), { signal });
  document.addEventListener("pointerdown", ({ target }) => inside(target) || close(), { signal, capture: true });
  document.addEventListener("scroll", ({ target }) => box.contains(target) || place(), { signal, capture: true, passive: true });
  window.addEventListener("resize", place, { signal });
  box.addEventListener("focusout", ({ relatedTarget }) => relatedTarget && !inside(relatedTarget) && close());

  function enter(root) {
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !open || !inside(event.target)) return;
      event.preventDefault();
      event.stopImmediatePropagation(); // neither the notebook nor Stop shall have it
      close({ back: true });
    }, { signal, capture: true });
    let asked = false;
    const scan = () => {
      asked = false;
      if (signal.aborted) return;
      if (open && !open.isConnected) close();
      root.querySelectorAll(`[class*="${MARK}"]`).forEach(explain);
    };
    const ours = (node) => node instanceof HTMLElement; // charts redraw much that is none
    const watch = new MutationObserver((records) => {
      if (asked || !records.some(({ addedNodes, removedNodes }) => [...addedNodes, ...removedNodes].some(ours))) return;
      asked = true;
      requestAnimationFrame(scan);
    });
    watch.observe(root, { childList: true, subtree: true });
    signal.addEventListener("abort", () => watch.disconnect());
    scan();
  }
  el.hidden = true;
  const placed = () => {
    const root = el.closest(".uv-dashboard");
    if (root) enter(root);
    else if (!signal.aborted) requestAnimationFrame(placed);
  };
  placed();
  return () => {
    close();
    over.abort();
    box.remove();
  };
}

export default { render };
