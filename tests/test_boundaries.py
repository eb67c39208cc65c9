# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports run one way, and Blender's process never meets torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What each part of the backend may import of the backend, besides itself.
_FLOOR = {"common", "errors"}
_SHOWN = _FLOOR | {"progress_bar"}
ALLOWED = {
    "errors": set(),
    "common": {"errors"},
    "progress_bar": {"common"},
    "ipc": _FLOOR,
    "render": _FLOOR,
    "models": {"render"} | _FLOOR,
    "weights": {"models", "render"} | _FLOOR,
    "data": {"models", "render"} | _SHOWN,
    "gan_views": {"data", "weights", "models", "render"} | _SHOWN,
    "pipeline": {"gan_views", "weights", "models", "render"} | _FLOOR,
    "evaluation": {"pipeline", "weights", "data", "models", "render"} | _SHOWN,
    "training": {"evaluation", "gan_views", "weights", "data", "models", "render"} | _SHOWN,
    "commands": {"training", "pipeline", "evaluation", "gan_views", "weights", "data", "models", "render"} | _SHOWN,
    "worker": {"ipc", "pipeline", "weights", "models", "render"} | _FLOOR,
}
DOOR = ROOT / "addon" / "wire.py"
"""The one file of the add-on that imports the backend; it knows both of its names."""
BLENDER = {"bpy", "bmesh", "mathutils", "gpu", "bl_math", "idprop"}
OF_THE_BACKEND = {"torch", "PIL", "cv2", "safetensors", "scipy", "tqdm", "tensorboard"}


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def nodes(tree: ast.AST, for_types: bool) -> Iterator[ast.AST]:
    """All nodes of a tree; ``for_types``: also what stands there for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if for_types or not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")):
            yield node
            yield from nodes(node, for_types)


def imports(path: Path, for_types: bool = True) -> Iterator[str]:
    """Full dotted names of all that a file imports, anywhere in it; relative ones resolved from the root."""
    package = path.relative_to(ROOT).parent.parts
    for node in nodes(ast.parse(path.read_text(encoding="utf-8"), str(path)), for_types):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            # Above both packages is the extension's root, and nothing of ours above that.
            assert node.level <= len(package) + 1, f"{path}: reaches above the repository"
            module = [*start, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


def modules() -> dict[str, Path]:
    """Dotted names of our own modules, a package's being that of its __init__.py, and their files."""
    names = {}
    for path in (path for folder in ("addon", "backend", "scripts") for path in files(folder)):
        whole = path.relative_to(ROOT)
        names[".".join(whole.parent.parts if path.name == "__init__.py" else whole.with_suffix("").parts)] = path
    return names


def module_of(name: str, known: Collection[str]) -> str:
    """The module that a full dotted name is of, or in; an empty text where that is none of ours."""
    if f"scripts.{top(name)}" in known:  # scripts import one another from their own folder
        name = f"scripts.{name}"
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach one another; ``graph`` has for every module those that it imports."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        ahead = list(graph[start])
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += graph[name]
        return found

    reach = {name: reached(name) for name in graph}
    groups = {frozenset(other for other in reach[name] if name in reach[other]) for name in graph} - {frozenset()}
    return sorted(sorted(group) for group in groups)


def top(name: str) -> str:
    return name.split(".")[0]


def part(name: str) -> str | None:
    """The part of the backend that a module is of; None for other modules and for the package itself."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "backend" and len(pieces) > 1 else None


@pytest.mark.parametrize("path", files("addon"), ids=lambda path: str(path.relative_to(ROOT)))
def test_addon_reaches_the_backend_through_ipc_and_common_alone(path: Path) -> None:
    names = list(imports(path))
    assert not {top(name) for name in names} & OF_THE_BACKEND
    assert {part(name) for name in names if top(name) == "backend"} <= {"ipc", "common"}
    assert "scripts" not in {top(name) for name in names}
    if path != DOOR:
        assert "backend" not in {top(name) for name in names}, f"go through {DOOR.name}"


@pytest.mark.parametrize("path", files("addon"), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_the_addon_shows_is_imported_by_nothing_else_of_it(path: Path) -> None:
    """What draws may use what acts; what acts knows nothing of panels, and is used by operators and panels alone."""
    names = list(imports(path))
    own = path.relative_to(ROOT / "addon").parts[0]
    if own not in ("__init__.py", "ui"):
        assert not [name for name in names if name.startswith("addon.ui")]
    if own not in ("__init__.py", "ui", "operators"):
        assert not [name for name in names if name.startswith("addon.operators")]


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"f"}, "f": {"g"}, "g": {"e", "a"}, "h": {"a"}}
    assert circles(graph) == [["b", "c"], ["e", "f", "g"]]


def test_no_modules_import_one_another_in_a_circle() -> None:
    """Imports inside functions count, for they would only hide a circle; those for type checkers do not run."""
    known = modules()
    graph = {
        name: {module_of(used, known) for used in imports(path, for_types=False)} - {"", name}
        for name, path in known.items()
    }
    assert circles(graph) == []


@pytest.mark.parametrize("path", files("backend"), ids=lambda path: str(path.relative_to(ROOT)))
def test_backend_imports_run_one_way(path: Path) -> None:
    names = list(imports(path))
    assert not {top(name) for name in names} & (BLENDER | {"addon", "scripts", "tests"})
    own = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own is None or own == "__init__":
        assert not names, "backend/__init__.py is imported by both processes and stays empty"
        return
    assert own in ALLOWED, f"say in ALLOWED what backend/{own} may import"
    used = {part(name) for name in names if top(name) == "backend"}
    assert used <= ALLOWED[own] | {own}


def test_what_both_processes_load_is_standard_library_and_numpy() -> None:
    for path in [*files("backend/ipc"), *files("backend/common")]:
        outside = {top(name) for name in imports(path)} - set(sys.stdlib_module_names)
        assert outside <= {"numpy", "backend"}, path


@pytest.mark.parametrize("folder", ["addon", "backend"])
def test_packages_import_themselves_relatively(folder: str) -> None:
    """Inside Blender they are bl_ext.….addon and bl_ext.….backend."""
    for path in set(files(folder)) - {DOOR}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert top(node.module or "") not in ("addon", "backend"), path
            elif isinstance(node, ast.Import):
                assert not {top(alias.name) for alias in node.names} & {"addon", "backend"}, path


def test_root_imports_inside_its_functions_alone() -> None:
    """pytest imports the root's __init__.py as a package wherever the checkout lies, also without bpy."""
    path = ROOT / "__init__.py"
    if not path.exists():
        pytest.skip("no extension here")
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = [n for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
    assert all(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in names)


def test_client_does_not_load_torch() -> None:
    code = "import sys, backend.ipc.client; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "numpy" in loaded
    assert not loaded & (OF_THE_BACKEND | BLENDER)
