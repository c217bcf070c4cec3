"""The direction of imports, read from the sources; and what files may be called."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.clean_environment import ROOT

PACKAGE = ROOT / "unlearnviz"
FILES = sorted(PACKAGE.rglob("*.py"))
WIDGETS = {"ipywidgets", "traitlets", "anywidget", "plotly"}
OPTIONAL = {"pandas", "pyarrow", "datasets"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.AST, module: str, *, package: bool) -> set[str]:
    """Every module that an import statement in `tree` may load, written out in full."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = parts[: len(parts) - node.level + package] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found |= {start, *(f"{start}.{alias.name}" for alias in node.names)}
    return found


def at_import(tree: ast.Module) -> ast.Module:
    """The part that runs when the module is imported: no function bodies, nothing under TYPE_CHECKING."""

    class Prune(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return None

        visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 (the name is ast's)

        def visit_If(self, node):
            if "TYPE_CHECKING" in ast.unparse(node.test):
                return None
            return self.generic_visit(node)

    return Prune().visit(tree)


def imports(path: Path, *, only_at_import: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    return imported(at_import(tree) if only_at_import else tree, module_name(path), package=path.name == "__init__.py")


def under(names: set[str], *roots: str) -> set[str]:
    return {name for name in names if any(name == root or name.startswith(f"{root}.") for root in roots)}


def within(*folders: str) -> list[Path]:
    return [path for path in FILES if any(path.is_relative_to(PACKAGE / folder) for folder in folders)]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_go_one_way(path):
    module, all_imports = module_name(path), imports(path)
    forbidden = set()
    if path in within("engine"):
        forbidden |= under(all_imports, *WIDGETS, "unlearnviz.views")
        forbidden |= under(imports(path, only_at_import=True), *OPTIONAL)
    if path in within("engine/methods", "engine/probes"):
        forbidden |= under(all_imports, "unlearnviz.engine.session")
    if path in within("papers"):  # plain data, for the page and for documents alike
        forbidden |= under(all_imports, *WIDGETS, "torch", "unlearnviz.engine", "unlearnviz.views", "unlearnviz.demo")
    if path in within("views"):
        forbidden |= under(all_imports, "torch", "transformers", "unlearnviz.demo")
    if path in within("views/panels"):
        others = under(all_imports, "unlearnviz.views.panels") - under(all_imports, "unlearnviz.views.panels.panel")  # the base class
        forbidden |= {name for name in others if not f"{module}.".startswith(f"{name}.")}
        forbidden |= under(all_imports, "unlearnviz.views.dashboard")
    if module == "unlearnviz.views.figures":
        forbidden |= under(all_imports, "ipywidgets", "anywidget", "traitlets", "unlearnviz.views.chart", "unlearnviz.views.tokens")
    assert not forbidden, f"{module} must not import {', '.join(sorted(forbidden))}"


def test_the_reader_of_imports_sees_every_form():
    source = "import a.b\nfrom c import d\nfrom . import e\nfrom ..f import g\ndef h():\n    import i\nif TYPE_CHECKING:\n    import j\n"
    tree = ast.parse(source)
    assert {"a.b", "c.d", "x.y.e", "x.f.g", "i", "j"} <= imported(tree, "x.y.z", package=False)
    assert {"x.y.z.e", "x.y.f.g"} <= imported(tree, "x.y.z", package=True)
    assert not {"i", "j"} & imported(at_import(tree), "x.y.z", package=False)


def test_a_file_is_named_after_what_it_holds():
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "context", "misc"}
    assert not [str(path) for path in FILES if set(path.stem.split("_")) & vague]


def test_files_are_short():
    long = {module_name(path): lines for path in FILES if (lines := len(path.read_text().splitlines())) > 300}
    assert not long, f"more than 300 lines: {long}"
