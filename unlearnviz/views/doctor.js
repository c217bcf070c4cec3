// What a page can tell of itself. Nothing is asked of other servers: the versions of extensions lie on the one that sent the page.

const EXTENSIONS = ["anywidget", "@jupyter-widgets/jupyterlab-manager"];

function config() {
  try {
    return JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
  } catch {
    return {};
  }
}

function host(page) {
  if (document.body.dataset.voila) return "Voila";
  if (page.appName) return `${page.appName} ${page.appVersion ?? ""}`.trim();
  if (location.protocol === "vscode-webview:") return "Visual Studio Code";
  return "a place that does not say its name";
}

async function versions(page) {
  const found = {};
  if (!page.fullLabextensionsUrl) return found;
  for (const name of EXTENSIONS) {
    try {
      const answer = await fetch(`${page.fullLabextensionsUrl}/${name}/package.json`);
      found[name] = answer.ok ? String((await answer.json()).version ?? "") : "";
    } catch {
      found[name] = "";
    }
  }
  return found;
}

function stores() {
  try {
    localStorage.setItem("uv-doctor", "1");
    localStorage.removeItem("uv-doctor");
    return true;
  } catch {
    return false;
  }
}

export default {
  async render({ model }) {
    if (Object.keys(model.get("page")).length) return; // asked by an earlier view
    const page = config();
    model.set("page", {
      host: host(page),
      browser: navigator.userAgent,
      extensions: await versions(page),
      can: { clipboard: Boolean(navigator.clipboard), storage: stores(), "unpacking of plotly.js": "DecompressionStream" in window },
    });
    model.save_changes();
  },
};
