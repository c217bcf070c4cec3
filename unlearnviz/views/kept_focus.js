// A button that is disabled while it has the focus would lose it to the page, and with it the keys (keys.py): the dashboard
// keeps the focus, and gives it back when the button can be pressed again.

function keepFocus(root, signal) {
  let [last, lent] = [null, null];
  root.addEventListener("focusin", ({ target }) => {
    if (target !== root) [last, lent] = [target, null];
  }, { signal });
  const watch = new MutationObserver((changes) => {
    for (const { target } of changes) {
      const nowhere = [document.body, target, root].includes(document.activeElement);
      if (target.disabled && target === last && nowhere && !lent) {
        lent = target;
        root.focus({ preventScroll: true });
      } else if (!target.disabled && target === lent) {
        lent = null;
        if (nowhere) target.focus({ preventScroll: true });
      }
    }
  });
  watch.observe(root, { subtree: true, attributes: true, attributeFilter: ["disabled"] });
  signal.addEventListener("abort", () => watch.disconnect());
}
