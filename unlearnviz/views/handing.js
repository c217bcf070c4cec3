// A row of buttons that hand text to the reader: as a file (a Blob: nothing is asked of a server), over the clipboard, or to be read.
// All text is set as text, never as HTML.

let pages = 0; // views of one widget, in one page or in several, tell their own answers by this and the time

export default {
  render({ model, el }) {
    const page = `${Date.now()}-${Math.random()}-${(pages += 1)}`;
    const over = new AbortController();
    const on = { signal: over.signal };
    el.classList.add("uv-handing");

    const make = (tag, words = "", name = "") => {
      const found = document.createElement(tag);
      found.textContent = words;
      if (name) found.className = name;
      return found;
    };
    const button = (words, act, title = "") => {
      const found = make("button", words, "uv-hand");
      found.type = "button";
      found.title = title;
      found.addEventListener("click", act, on);
      return found;
    };

    const row = make("div", "", "uv-hands");
    const said = make("p", "", "uv-handed");
    said.setAttribute("role", "status");
    const sheet = make("div", "", "uv-sheet");
    const text = make("textarea");
    text.readOnly = true;
    text.rows = 10;
    text.spellcheck = false;
    const below = make("div", "", "uv-hands");
    sheet.append(text, below);
    sheet.hidden = true;

    const want = (what, how) => model.send({ kind: "want", what, how, page });
    const buttons = [];
    for (const [what, thing] of Object.entries(model.get("things"))) {
      for (const [how, words] of Object.entries(thing.buttons)) {
        const made = button(words, () => want(what, how), thing.title ?? "");
        buttons.push(made);
        row.append(made);
      }
    }

    if (model.get("takes")) {
      const file = make("input");
      file.type = "file";
      file.accept = ".json,application/json";
      file.hidden = true;
      file.setAttribute("aria-label", model.get("takes"));
      file.addEventListener("change", async () => {
        const chosen = file.files[0];
        file.value = ""; // the same file may be chosen again
        if (!chosen) return;
        if (chosen.size > model.get("largest")) {
          say(`${chosen.name} has ${chosen.size.toLocaleString("en")} bytes, too many for a recipe; nothing was sent.`);
          return;
        }
        try {
          model.send({ kind: "file", text: await chosen.text() });
          say(`${chosen.name} was sent.`);
        } catch (error) {
          say(`${chosen.name} could not be read: ${error.message}`);
        }
      }, on);
      const made = button(model.get("takes"), () => file.click());
      buttons.push(made);
      row.append(made, file);
    }

    const say = (words) => { said.textContent = words; };

    function show(thing, content) {
      text.value = content;
      text.setAttribute("aria-label", thing.label);
      sheet.hidden = false;
      below.replaceChildren(
        button("Copy", () => copy(thing, content)),
        button("Download", () => download(thing, content)),
        button("Close", () => { sheet.hidden = true; say(""); }),
      );
    }

    function download(thing, content) {
      const address = URL.createObjectURL(new Blob([content], { type: thing.type }));
      const link = make("a");
      link.href = address;
      link.download = thing.file;
      el.append(link); // some browsers follow only links that are in the page
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(address), 60_000); // by then the browser has taken it
      say(`${thing.file} was handed to the browser, which knows where its downloads go.`);
    }

    async function copy(thing, content) {
      try {
        await navigator.clipboard.writeText(content);
        say(`${thing.label}: copied.`);
      } catch {
        // no permission, or no clipboard on this address: the reader's own keys may do what we may not
        show(thing, content);
        text.focus();
        text.select();
        say("This browser does not let the page use the clipboard. The text is selected: press Ctrl+C (on a Mac, Cmd+C).");
      }
    }

    const answered = (content) => {
      if (content?.kind !== "text" || content.page !== page) return;
      const thing = model.get("things")[content.what];
      if (content.how === "download") download(thing, content.text);
      else if (content.how === "copy") copy(thing, content.text);
      else {
        show(thing, content.text);
        say("");
        text.focus();
        text.setSelectionRange(0, 0); // the first lines first
        text.scrollTop = 0;
      }
    };
    const able = () => { for (const each of buttons) each.disabled = !model.get("idle"); };
    model.on("msg:custom", answered);
    model.on("change:idle", able);
    able();
    el.append(row, said, sheet);
    return () => {
      over.abort();
      model.off("msg:custom", answered);
      model.off("change:idle", able);
    };
  },
};
