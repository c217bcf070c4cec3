// Draws the rows of a PassageList. Keyboard: every row's button is an ordinary button, in reading order.
export default {
  render({ model, el }) {
    el.classList.add("uv-passages");
    const list = document.createElement("ul");
    const empty = document.createElement("p");
    el.append(list, empty);
    const row = (each) => {
      const item = document.createElement("li");
      item.classList.toggle("uv-picked", each.picked);
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = each.picked ? "−" : "+";
      button.setAttribute("aria-label", `${each.picked ? "Take out" : "Add"}: ${each.text}`);
      button.title = each.picked ? "Take out of the forget set" : "Add to the forget set";
      button.disabled = model.get("disabled");
      button.dataset.passage = each.id;
      button.addEventListener("click", () => model.send({ kind: "toggle", id: each.id }));
      const text = document.createElement("span");
      text.className = "uv-passage-text";
      text.textContent = each.text;
      item.append(button, text);
      if (each.badge) {
        const badge = document.createElement("span");
        badge.className = "uv-badge";
        badge.textContent = each.badge;
        item.append(badge);
      }
      return item;
    };
    let first;
    const show = () => {
      const focused = el.contains(document.activeElement) ? document.activeElement.dataset.passage : null;
      const top = list.scrollTop;
      const rows = model.get("rows");
      list.setAttribute("aria-label", model.get("label"));
      list.style.maxHeight = `${model.get("height")}px`;
      list.replaceChildren(...rows.map(row));
      list.hidden = rows.length === 0;
      if (rows.length) list.tabIndex = 0;
      empty.textContent = rows.length ? "" : model.get("empty");
      list.scrollTop = rows[0]?.id === first ? top : 0; // other texts are read from the top
      first = rows[0]?.id;
      if (focused !== null) {
        const again = [...list.querySelectorAll("button")].find((button) => button.dataset.passage === focused);
        if (again) again.focus();
      }
    };
    const names = ["rows", "label", "empty", "height", "disabled"];
    names.forEach((name) => model.on(`change:${name}`, show));
    show();
    return () => names.forEach((name) => model.off(`change:${name}`, show));
  },
};
