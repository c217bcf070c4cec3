// One row of a PassageList: its buttons, a line about it, its text with what differs marked, and a badge. textContent only.

const SIGNS = { same: "●", other: "◆", unseen: "✕" }; // never colour alone

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function written(row) {
  const place = make("div", "uv-passage-text");
  place.dir = "auto";
  for (const [piece, mark] of row.parts ?? [[row.text, ""]]) {
    if (mark === "new") place.append(make("mark", "", piece));
    else if (mark === "gone") place.appendChild(make("span", "uv-gone")).title = `Missing here: ${piece}`;
    else place.append(piece);
  }
  return place;
}

function line(row) {
  const place = make("div", "uv-passage-line");
  if (row.word) {
    const sign = make("span", "", SIGNS[row.kind] ?? "");
    sign.setAttribute("aria-hidden", "true");
    const group = make("span", `uv-group uv-group-${row.kind}`);
    group.append(sign, ` ${row.word}`);
    place.append(group);
  }
  if (row.note) place.append(make("span", row.old ? "uv-note uv-old" : "uv-note", row.note));
  return place;
}

// "toggle" adds or takes out; "leave" leaves out when all are added. `aria-disabled`, since a disabled button loses the focus.
function press(row, kind, disabled) {
  const leaves = kind === "leave";
  const button = make("button", "", leaves ? "⊘" : row.picked ? "−" : "+");
  const action = leaves ? "Leave out when all are added" : row.picked ? "Take out" : "Add";
  const whole = leaves ? action : row.picked ? "Take out of the forget set" : "Add to the forget set";
  const never = !leaves && Boolean(row.why);
  button.type = "button";
  button.tabIndex = -1;
  button.title = never ? row.why : whole;
  Object.assign(button.dataset, { kind, passage: row.id, never });
  button.setAttribute("aria-label", never ? `${row.why}: ${row.text}` : `${action}: ${row.text}`);
  button.setAttribute("aria-disabled", String(disabled || never));
  if (leaves) button.setAttribute("aria-pressed", String(row.left));
  return button;
}

function item(row, disabled) {
  const node = make("li");
  if (!row) { // on its way
    node.append(make("div", "uv-passage-text", "…"));
    return node;
  }
  node.classList.toggle("uv-picked", row.picked);
  node.classList.toggle("uv-left", row.left === true);
  const buttons = make("div", "uv-presses");
  buttons.append(press(row, "toggle", disabled));
  if (row.left !== undefined) buttons.append(press(row, "leave", disabled));
  const body = make("div", "uv-passage-body");
  if (row.word || row.note) body.append(line(row));
  body.append(written(row));
  node.append(buttons, body);
  if (row.badge) node.append(make("span", "uv-badge", row.badge));
  return node;
}
