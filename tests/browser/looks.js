// What a person would see go wrong in a part of the page: text that is cut, things that lie on each other, text too faint.
// (selector) => {cut: [text], overlapping: [text], faint: [text], small: pixels of the smallest text}

(selector) => {
  const root = document.querySelector(selector);
  const SLACK = 2; // pixels
  const CONTRAST = 4.5;
  const CONTROLS = "button, input, select, textarea, summary, [role=tab], [role=switch]";
  const shown = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const named = (node, text) => {
    const { x, y, width, height } = (node.range ?? node.element ?? node).getBoundingClientRect();
    const element = node.element ?? node;
    const kind = `${element.tagName.toLowerCase()}.${String(element.className?.baseVal ?? element.className).split(" ").slice(-1)}`;
    return `${kind} “${(text ?? element.textContent).trim().slice(0, 50)}” at ${[x, y, width, height].map(Math.round)}`;
  };

  // ---------------------------------------------------------------- what there is to see

  const texts = []; // {element, range, text}
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { currentNode: node } = walker;
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("style, script, option, datalist, .MathJax") || !shown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const { width, height } = range.getBoundingClientRect();
    if (width > 1 && height > 1) texts.push({ element, range, text: node.data });
  }
  const controls = [...root.querySelectorAll(CONTROLS)].filter((each) => shown(each) && each.getClientRects().length);

  // A box as far as what scrolls around it lets it be seen; null where nothing is left. `cut` where somebody can never see the rest.
  function seen(box, element) {
    let { left, top, right, bottom } = box;
    let cut = false;
    for (let each = element; each && each !== root.parentElement; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.position === "absolute" && style.clip !== "auto") return { cut: false, box: null }; // for screen readers
      const [x, y] = [style.overflowX, style.overflowY];
      if ((x === "visible" && y === "visible") || each instanceof SVGElement || !each.clientWidth) continue;
      const frame = each.getBoundingClientRect();
      if (["hidden", "clip"].includes(x)) cut ||= left < frame.left - SLACK || right > frame.right + SLACK;
      if (["hidden", "clip"].includes(y)) cut ||= top < frame.top - SLACK || bottom > frame.bottom + SLACK;
      [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
      [top, bottom] = [Math.max(top, frame.top), Math.min(bottom, frame.bottom)];
      if (left >= right || top >= bottom) return { cut, box: null };
    }
    return { cut, box: { left, top, right, bottom } };
  }

  // ---------------------------------------------------------------- cut

  const cut = [];
  const edge = root.getBoundingClientRect();
  const leaves = [];
  for (const each of texts) {
    const boxes = [...each.range.getClientRects()];
    const found = boxes.map((box) => seen(box, each.element));
    const inside = each.element.closest(`${CONTROLS}, th, td, label`)?.getBoundingClientRect() ?? edge;
    const out = boxes.some((box) => box.left < inside.left - SLACK || box.right > inside.right + SLACK);
    const { a, b } = each.element.getScreenCTM?.() ?? { a: 1, b: 0 };
    const slanted = Math.abs(a * b) > 0.01; // the box around it is much larger than its letters
    const svg = each.element.ownerSVGElement?.getBoundingClientRect();
    const off = svg && boxes.some((box) => box.left < svg.left - SLACK || box.right > svg.right + SLACK || box.bottom > svg.bottom + SLACK);
    if (found.some((one) => one.cut) || out || off) cut.push(named(each, each.text));
    for (const { box } of found) if (box && !slanted) leaves.push({ ...each, box });
  }
  const pen = document.createElement("canvas").getContext("2d");
  for (const each of controls) {
    const style = getComputedStyle(each);
    pen.font = style.font;
    const room = each.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (each.matches("select") && each.size < 2) {
      const needed = pen.measureText(each.selectedOptions[0]?.textContent ?? "").width;
      if (needed > room + SLACK) cut.push(named(each, each.selectedOptions[0].textContent));
    } else if (each.matches("input:not([type=range], [type=checkbox], [type=radio], [type=button])")) {
      if (pen.measureText(each.value || each.placeholder).width > room + SLACK) cut.push(named(each, each.value || each.placeholder));
    } else if (each.matches("textarea") && each.scrollHeight > each.clientHeight + SLACK) cut.push(named(each, each.value));
    const { box } = seen(each.getBoundingClientRect(), each);
    if (box) leaves.push({ element: each, box, control: true });
  }

  // ---------------------------------------------------------------- overlapping

  const overlapping = [];
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > SLACK && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > SLACK;
  const related = (a, b) => a.element === b.element || (b.control && b.element.contains(a.element)) || (a.control && a.element.contains(b.element))
    || (!a.control && !b.control && !a.element.ownerSVGElement && (a.element.contains(b.element) || b.element.contains(a.element)));
  leaves.forEach((a, k) => {
    for (const b of leaves.slice(k + 1)) {
      if (meet(a.box, b.box) && !related(a, b)) overlapping.push(`${named(a, a.text)} and ${named(b, b.text)}`);
    }
  });

  // ---------------------------------------------------------------- faint

  pen.canvas.width = pen.canvas.height = 1;
  const colour = (css) => { // [red, green, blue, alpha], whatever the notation
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = "rgba(0, 0, 0, 0)";
    pen.fillStyle = css;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, k) => a * value + (1 - a) * below[k]);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const own = colour(getComputedStyle(element).backgroundColor);
    return own[3] >= 0.999 ? own.slice(0, 3) : over(own, behind(element.parentElement));
  };
  const faint = [];
  const judge = (element, css, what) => {
    if (element.closest(":disabled, [aria-disabled=true]")) return; // no text to be read, says WCAG 1.4.3
    const ground = behind(element);
    let opacity = 1;
    for (let each = element; each && each !== root.parentElement; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
    const [r, g, b, a] = colour(css);
    const front = over([r, g, b, a * opacity], ground);
    const [high, low] = [light(front), light(ground)].sort((x, y) => y - x);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < CONTRAST) faint.push(`${ratio.toFixed(2)}: ${named(element, what)} (${front.map(Math.round)} on ${ground.map(Math.round)})`);
  };
  for (const { element, text } of texts) {
    const style = getComputedStyle(element);
    judge(element, element.ownerSVGElement ? style.fill : style.color, text);
  }
  for (const each of controls) {
    if (each.matches("select, textarea, input:not([type=range], [type=checkbox], [type=radio])")) judge(each, getComputedStyle(each).color, each.value);
    if (each.placeholder && !each.value) judge(each, getComputedStyle(each, "::placeholder").color, each.placeholder);
  }

  const small = Math.min(...texts.map(({ element }) => parseFloat(getComputedStyle(element).fontSize)));
  const tiny = texts.filter(({ element }) => parseFloat(getComputedStyle(element).fontSize) < 18).map((each) => named(each, each.text));
  const unique = (lines) => [...new Set(lines)];
  return { cut: unique(cut), overlapping: unique(overlapping), faint: unique(faint), small, tiny: unique(tiny) };
}
