// The keys of a dashboard (keys.py): what is pressed in it stays in it, and single keys press its buttons.

// JupyterLab takes keys from every element that is no text field: "d d" deletes a cell, "0 0" restarts the kernel. With
// Ctrl, Alt or Meta a key goes on to the page (save, find, print), except where the notebook would take it for its cells:
// Ctrl+Enter in a dashboard would run its cell again, Ctrl+Z in a field would undo a cell.
const OF_CELLS = /^(Enter|Backspace|Delete|Arrow\w+|[aymz_-])$/i;
const modified = (event) => event.ctrlKey || event.altKey || event.metaKey;
const stays = (event) => !modified(event) || OF_CELLS.test(event.key);

// What is pressed is found by a class that Python gave it.
const PRESSED = { s: "step", u: "undo", r: "redo" };
const SCRUBBED = { ArrowLeft: -1, ArrowRight: 1 };
const TYPED_IN = "select, textarea, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=button])";
const OWN_ARROWS = "input, [role=tab], [role=option], [role=menuitem], .uv-passages, [role=region]"; // arrows move inside these
// Not beyond the dashboard: JupyterLab's own boxes are regions, too.
const inside = (target, selector, root) => {
  const found = target.closest(selector);
  return found !== null && found !== root && root.contains(found);
};
const PATIENCE = 5000; // milliseconds that a view may take to be built, until its search field is there

function scrub(root, by) {
  const slider = root.querySelector(".uv-key-scrub input[type=range]");
  if (!slider || slider.disabled) return;
  const before = slider.value;
  if (by > 0) slider.stepUp();
  else slider.stepDown();
  if (slider.value !== before) slider.dispatchEvent(new Event("input", { bubbles: true }));
}

// The search field may be in a view that was never shown: its tab is pressed, and the field gets the focus once it is there.
function search(root, signal) {
  const found = () => {
    const field = root.querySelector(".uv-key-search input");
    if (!field?.getClientRects().length) return false;
    field.focus();
    field.select();
    return true;
  };
  const tab = root.querySelector(".uv-tabs [role=tab][id$='-tab-Neighbours']");
  if (tab?.getAttribute("aria-selected") !== "true") tab?.click(); // also where its view is still in sight
  if (found()) return;
  const until = performance.now() + PATIENCE;
  const again = () => signal.aborted || performance.now() > until || found() || requestAnimationFrame(again);
  requestAnimationFrame(again);
}

// Do what a key stands for; whether it stands for anything. A disabled button does nothing when it is clicked.
function act(event, root, { single, list, signal }) {
  const { target, key } = event;
  const name = PRESSED[key.toLowerCase()];
  if (key === "Escape") root.querySelector(".uv-key-stop")?.click();
  else if (!single || inside(target, TYPED_IN, root)) return false;
  else if (name && !event.repeat) root.querySelector(`.uv-key-${name}`)?.click();
  else if (key === "/") search(root, signal);
  else if (key === "?") list();
  else if (key in SCRUBBED && !event.shiftKey && !inside(target, OWN_ARROWS, root)) scrub(root, SCRUBBED[key]);
  else return false;
  return true;
}

function render({ model, el }) {
  const over = new AbortController();
  const { signal } = over;
  const { dialog, open } = buildList(el, model, signal);

  function enter(root) {
    root.tabIndex = -1; // a click beside all controls gives the focus to the dashboard, not to the notebook around it
    root.addEventListener("keydown", (event) => { // ipywidgets keep the keys of their fields for themselves
      if (event.key === "Escape" && event.target.closest(TYPED_IN) && !dialog.open) act(event, root, {});
    }, { capture: true, signal });
    root.addEventListener("keydown", (event) => {
      if (!stays(event)) return;
      event.stopPropagation();
      if (event.defaultPrevented || event.isComposing || modified(event) || dialog.open) return;
      if (event.key === "Escape" && event.target.closest(TYPED_IN)) return; // done above
      if (act(event, root, { single: model.get("single"), list: () => open.click(), signal })) event.preventDefault();
    }, { signal });
    root.addEventListener("keyup", (event) => stays(event) && event.stopPropagation(), { signal });
    root.addEventListener("focusin", () => announce(root, model.get("single")), { signal });
    keepFocus(root, signal);
  }
  const placed = () => {
    const root = el.closest(".uv-dashboard");
    if (root) enter(root);
    else if (!signal.aborted) requestAnimationFrame(placed);
  };
  placed();
  return () => {
    over.abort();
    el.replaceChildren();
  };
}

export default { render };
