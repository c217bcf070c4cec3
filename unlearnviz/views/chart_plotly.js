// plotly.js, once per page, whatever the number of charts. Every widget runs its own copy of this file, so what they
// share stands on globalThis, keyed by its version and ours: {ready, take, asked}.
//
// The first chart asks its kernel. The others wait for the same promise. They ask in their turn where the asker left
// the page, where the asked kernel (another one than theirs) stays silent, and, seldom, where their own does: a kernel
// in the middle of a cell answers late, and its late answer still counts. Nothing here ever gives up or polls.

const PATIENCE = { other: 5_000, own: 30_000 }; // milliseconds

function sharedPlotly(version) {
  const shelves = (globalThis.__unlearnviz_plotly__ ??= new Map());
  if (!shelves.has(version)) {
    const shelf = { asked: null, loading: false, loaded: false, turns: new Set() };
    shelf.ready = new Promise((resolve, reject) => Object.assign(shelf, { resolve, reject }));
    shelf.ready.catch(() => {});
    shelves.set(version, shelf);
  }
  return shelves.get(version);
}

function seekPlotly(model, signal) {
  const shelf = sharedPlotly(model.get("library"));
  if (shelf.loaded) return;
  const kernel = model.get("kernel");
  let timer = 0;

  async function answered(message, buffers) {
    if (message?.kind !== "plotly" || shelf.loading || shelf.loaded) return;
    shelf.loading = true;
    try {
      shelf.resolve(await runPlotly(buffers[0], message.gzip));
      shelf.loaded = true;
    } catch (error) {
      shelf.reject(error);
    }
  }

  function turn() {
    clearTimeout(timer);
    if (shelf.loading || shelf.loaded || signal.aborted) return;
    const { asked } = shelf;
    const patience = asked && (asked.kernel === kernel ? PATIENCE.own * asked.times : PATIENCE.other);
    const left = asked && !asked.signal.aborted ? asked.at + patience - performance.now() : 0;
    if (left <= 0) {
      shelf.asked = { kernel, signal, at: performance.now(), times: asked?.kernel === kernel ? asked.times * 2 : 1 };
      model.send({ kind: "plotly", gzip: "DecompressionStream" in globalThis });
    }
    timer = setTimeout(turn, left > 0 ? left + 10 : PATIENCE.own);
  }

  model.on("msg:custom", answered);
  shelf.turns.add(turn);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    shelf.turns.delete(turn);
    if (shelf.asked?.signal === signal) shelf.turns.values().next().value?.();
  });
  turn();
}

// The library, run from bytes. As a function's body, it sees neither an AMD `define` nor a CommonJS `module` of the
// page; what it leaves on globalThis is taken away again, for the page may have a Plotly of its own.
async function runPlotly(bytes, gzip) {
  let stream = new Blob([bytes]).stream();
  if (gzip) stream = stream.pipeThrough(new DecompressionStream("gzip"));
  const code = await new Response(stream).blob();
  const before = ["Plotly", "moduleName"].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  const wrapped = ["(function (define, module, exports) {\n", code, "\n}).call(globalThis);"];
  const url = URL.createObjectURL(new Blob(wrapped, { type: "text/javascript" }));
  const script = document.createElement("script");
  try {
    await new Promise((resolve, reject) => {
      script.onload = resolve;
      script.onerror = () => reject(new Error("this page does not allow plotly.js to run"));
      script.src = url;
      document.head.append(script);
    });
    const plotly = globalThis.Plotly;
    if (!plotly?.react) throw new Error("plotly.js did not start");
    return plotly;
  } finally {
    script.remove();
    URL.revokeObjectURL(url);
    for (const [name, descriptor] of before) {
      delete globalThis[name];
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    }
  }
}
