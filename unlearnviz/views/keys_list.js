// The list of keys (keys.py): a button, and a native modal dialog. It keeps Tab inside, Escape closes it, and the focus goes
// back to where it was.

const LISTED = [ // key, what it does, name of what it presses, how the button announces it
  ["S", "One step", "step", "S"],
  ["U", "Undo: one step back, exactly", "undo", "U"],
  ["R", "Redo the undone step", "redo", "R"],
  ["← →", "Back and forth on the timeline", "", ""],
  ["/", "Search the texts", "search", "/"],
  ["Esc", "Stop what is running; also while you type", "stop", "Escape"],
  ["?", "This list", "", ""],
];
const NOTE = "They work while the focus is in this dashboard, and not while you type in a field. Tab goes from one control to the "
  + "next, Enter or Space presses it, and arrows move inside tabs, lists and sliders.";

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

function buildList(el, model, signal) {
  const open = make("button", "uv-keys-open", "Keys");
  const dialog = make("dialog", "uv-keys");
  const title = make("h3", "uv-heading", "Keys");
  const table = make("table");
  const label = make("label");
  const single = make("input");
  const close = make("button", "", "Close");
  open.type = close.type = "button";
  open.title = "Which keys work here";
  open.setAttribute("aria-haspopup", "dialog");
  open.setAttribute("aria-keyshortcuts", "?");
  dialog.setAttribute("aria-label", "Keys");
  for (const [key, does] of LISTED) {
    const line = table.insertRow();
    const head = make("th");
    head.scope = "row";
    head.append(make("kbd", "", key));
    line.append(head, make("td", "", does));
  }
  single.type = "checkbox";
  label.append(single, " Single keys act (Esc always does)");
  dialog.append(title, table, make("p", "", NOTE), label, close);
  el.append(open, dialog);
  open.addEventListener("click", () => dialog.showModal());
  close.addEventListener("click", () => dialog.close());
  single.addEventListener("change", () => {
    model.set("single", single.checked);
    model.save_changes();
  });
  const show = () => { single.checked = model.get("single"); };
  model.on("change:single", show);
  signal.addEventListener("abort", () => model.off("change:single", show));
  show();
  return { open, dialog };
}

// Tell screen readers which key presses a button, as far as the buttons exist by now.
function announce(root, single) {
  for (const [, , name, shortcut] of LISTED) {
    const found = name && root.querySelector(`button.uv-key-${name}, .uv-key-${name} input`);
    if (!found) continue;
    if (single || shortcut === "Escape") found.setAttribute("aria-keyshortcuts", shortcut);
    else found.removeAttribute("aria-keyshortcuts");
  }
}
