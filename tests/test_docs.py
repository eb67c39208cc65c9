# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents say is so: commands exist and are tested, links lead somewhere, names and messages are real."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(ROOT.glob("docs/*.md"))
BODIES = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]
LONGEST_README = 120

TESTED_BY = {
    "scripts/demo.sh": "tests/test_docs.py::test_shell_scripts_are_well_formed",
    "scripts/test.sh": "tests/test_docs.py::test_shell_scripts_are_well_formed",
    "scripts/setup.sh": "tests/test_docs.py::test_shell_scripts_are_well_formed",
    "scripts/build_extension.py": "tests/test_docs.py::test_the_extension_is_built_as_the_readme_installs_it",
    "scripts/image_to_3d.py": "tests/blender/test_image_to_3d.py",
    "unrender image-to-3d": "tests/window/test_window.py::test_the_command_works_without_a_window",
    "unrender join": "tests/blender/test_batch_resume.py",
    "unrender doctor": "tests/blender/test_doctor.py",
    "unrender setup": "tests/blender/test_doctor.py",
    "scripts/measuring/whole_batch.py": "tests/blender/test_whole_batch.py",
    "scripts/measuring/hostile.py": "tests/commands/test_hostile_script.py",
    "scripts/farm/slurm_array.sh": "tests/blender/test_farm.py",
    "scripts/generate.py": "tests/blender/test_generate_script.py",
    "scripts/edit.py": "tests/blender/test_edit_script.py",
    "unrender edit": "tests/blender/test_edit_script.py",
    "scripts/render_dataset.py": "tests/blender/test_render_dataset.py",
    "scripts/train.py segmenter": "tests/training/test_segmenter.py",
    "scripts/train.py inverse-graphics": "tests/training/test_known_cameras.py",
    "scripts/train.py stylegan2": "tests/training/test_stylegan2_training.py",
    "scripts/train.py gan3d": "tests/training/test_gan3d_training.py",
    "scripts/draw_cars.py": "tests/commands/test_draw_cars.py",
    "scripts/photograph_solids.py": "tests/commands/test_evaluate_gan3d.py",
    "scripts/evaluate_gan3d.py": "tests/commands/test_evaluate_gan3d.py",
    "scripts/train.py views": "tests/commands/test_view_commands.py",
    "scripts/train.py parts": "tests/training/test_parts_training.py",
    "scripts/train.py category": "tests/training/test_category.py",
    "scripts/train.py disentangle": "tests/training/test_disentangle.py",
    "scripts/encode_cars.py": "tests/dataset/test_encode_cars.py",
    "scripts/evaluate_neural_renderer.py": "tests/commands/test_evaluate_neural_renderer.py",
    "scripts/pack_photographs.py": "tests/commands/test_pack_photographs.py",
    "scripts/build_bundle.py": "tests/weights/test_bundle.py",
    "scripts/build_template.py": "tests/commands/test_parts_scripts.py",
    "scripts/fit_parts.py": "tests/commands/test_parts_scripts.py",
    "scripts/evaluate.py": "tests/commands/test_comparison_script.py",
    "scripts/evaluate_generator.py": "tests/commands/test_evaluate_generator.py",
    "scripts/calibrate.py": "tests/commands/test_calibrate.py",
    "scripts/relight.py": "tests/blender/test_relight.py",
    "scripts/measure_cut_out.py": "tests/commands/test_measure_cut_out.py",
    "scripts/measure_looks.py": "tests/commands/test_measure_looks.py",
    "scripts/import_weights.py": "tests/weights/test_generator_bundle.py",
    "scripts/make_gan_views.py": "tests/commands/test_view_commands.py",
    "scripts/project.py": "tests/commands/test_project_script.py",
    "scripts/benchmark.py": "tests/commands/test_benchmark.py",
    "scripts/train.py mean-colour": "tests/test_docs.py::test_example_of_a_training_task_learns_and_goes_on",
    "examples/render_views.py": "tests/commands/test_fit_views.py::folder",
    "examples/fit_views.py": "tests/commands/test_fit_views.py",
}
"""The test that runs a documented command, on little; a file, or a function in it. Scripts that set a machine up are
only read: a test that installed packages would be neither fast nor harmless."""
OTHERS = {"extension", ".venv/bin/ruff", ".venv/bin/mypy"}
"""Words of the commands of others: Blender's own for extensions, and the tools that scripts/test.sh runs."""


def blocks(text: str) -> list[str]:
    """The fenced and the indented blocks of a document, without Markdown's lists."""
    fenced = re.findall(r"^```(?:bash|sh|text)?\n(.*?)^```$", text, re.M | re.S)
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    indented = re.findall(r"(?:(?<=\n\n)|\A)((?: {4}.*\n?)+)", rest)
    return fenced + indented


def commands(path: Path) -> list[list[str]]:
    """The words of every command of a document that runs something of this repository or of Blender."""
    found = []
    for block in blocks(path.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.strip()
            if re.match(r"(python|bash|blender|torchrun|\.venv/bin/\w+|OMP_\w+=\w+)\b", line):
                found.append(shlex.split(line, comments=True))
    return found


ALL = [(path, words) for path in BODIES for words in commands(path)]


def script_of(words: list[str]) -> str | None:
    """The script that a command runs, by its path from the root; None where it runs none."""
    return next((word for word in words if re.fullmatch(r"(scripts|examples)/\S+\.(py|sh)", word)), None)


def key_of(words: list[str]) -> str | None:
    """What a command is called in :data:`TESTED_BY`; None for commands of others, such as Blender's own."""
    script = script_of(words)
    if script == "scripts/train.py":
        return f"{script} {task_of(words)}"
    if script is None and "unrender" in words:
        return " ".join(words[words.index("unrender") :][:2])
    return script


def arguments_of(words: list[str]) -> list[str]:
    """What a script is given: what follows it, without the marks for Blender and for optional parts."""
    script = script_of(words)
    rest = words[words.index(script) + 1 :] if script else words[words.index("unrender") + 2 :]
    return [word.strip("[]") for word in rest if word != "--"]


def task_of(words: list[str]) -> str:
    return arguments_of(words)[0]


@functools.cache
def help_of(script: str) -> str:
    done = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def shown(case: tuple[Path, list[str]]) -> str:
    return f"{case[0].name}: {' '.join(case[1])[:70]}"


def test_documents_hold_commands() -> None:
    assert len(ALL) > 60
    assert ["bash", "scripts/demo.sh"] in commands(ROOT / "README.md")


@pytest.mark.parametrize("case", ALL, ids=shown)
def test_documented_command_exists_and_is_run_by_a_test(case: tuple[Path, list[str]]) -> None:
    key = key_of(case[1])
    if key is None:
        assert OTHERS & set(case[1]), "neither a script of ours nor a known tool's"
        return
    if script_of(case[1]):
        assert (ROOT / script_of(case[1])).is_file()
    if key == "scripts/train.py TASK":
        return
    assert key in TESTED_BY, f"say in TESTED_BY which test runs {key}"


@pytest.mark.parametrize("key", TESTED_BY)
def test_test_of_a_command_exists_and_names_it(key: str) -> None:
    name, _, function = TESTED_BY[key].partition("::")
    text = (ROOT / name).read_text(encoding="utf-8")
    assert Path(key.split()[0]).stem in text or key.split()[-1] in text
    assert not function or f"def {function}(" in text


@pytest.mark.parametrize("case", [case for case in ALL if key_of(case[1])], ids=shown)
def test_documented_flags_are_known(case: tuple[Path, list[str]]) -> None:
    script = script_of(case[1])
    if script and script.endswith(".sh"):
        return
    script = script or f"scripts/{(key_of(case[1]) or '').split()[1].replace('-', '_')}.py"
    known = set(re.findall(r"--[a-z0-9][\w-]*", help_of(script)))
    assert {word.split("=")[0] for word in arguments_of(case[1]) if word.startswith("--")} <= known


@pytest.mark.parametrize(
    "case", [case for case in ALL if (key_of(case[1]) or "").startswith("scripts/train.py ")], ids=shown
)
def test_documented_training_has_its_task_preset_and_settings(case: tuple[Path, list[str]]) -> None:
    from backend.commands import train
    from backend.training.settings import changed

    if task_of(case[1]) in ("TASK", "mean-colour"):
        pytest.skip("a placeholder, or the recipe's own task, which has a test of its own")
    ablation = re.search(r"ABLATION_SETTINGS, which are `([^`]*)`", case[0].read_text(encoding="utf-8"))
    words = [part for word in arguments_of(case[1]) for part in
             (ablation[1].split() if ablation and word == "ABLATION_SETTINGS" else [word])]  # fmt: skip
    options = train.parse(words)
    free = "GAN" in str(options.data) or "SHARED" in str(options.data) or "RUNS/mixture" in str(options.out)
    name = train.FREE_CAMERAS if free and options.task == "inverse-graphics" else train.TASKS[options.task]
    module = __import__(f"backend.{name}", fromlist=["PRESETS"])
    assert options.preset in module.PRESETS
    config = module.PRESETS[options.preset]
    for setting in options.settings:
        config = changed(config, setting)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        assert file.is_file(), f"{path.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in {slug(heading) for heading in headings}, f"{path.name} links to {target}"


def slug(heading: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.name)
def test_named_paths_and_functions_exist(path: Path) -> None:
    text = re.sub(r"^```python.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for name in re.findall(r"`((?:addon|backend|scripts|tests|docs|examples)(?:/[\w.\-]+)+/?)`", text):
        assert (ROOT / name).exists(), f"{path.name} names {name}"
    for name in re.findall(r"`((?:addon|backend|scripts|tests)(?:\.\w+)+)(?:\(\))?`", text):
        assert resolves(name), f"{path.name} names {name}"


def resolves(name: str) -> bool:
    """Whether a dotted name is a module or something at the top of one, also a method of its class. Imports nothing."""
    pieces = name.split(".")
    for count in range(len(pieces), 0, -1):
        base = ROOT.joinpath(*pieces[:count])
        file = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
        if file.is_file():
            body: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
            for piece in pieces[count:]:
                found = next((node for node in body if piece in names_of(node)), None)
                if found is None:
                    return False
                body = getattr(found, "body", [])
            return True
    return ROOT.joinpath(*pieces).is_dir()


def names_of(node: ast.stmt) -> set[str]:
    """The names that a statement of a module or a class defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


@functools.cache
def texts_of_the_code() -> str:
    """Every text in the product's code, with … where a value stands."""
    texts = []
    for folder in ("addon", "backend", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    texts.append("".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value.replace("{}", "…"))
        texts += [path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.sh")]
    return "\n".join(texts)


def messages() -> list[str]:
    """The messages that a line of a table or of a list in the page on troubleshooting begins with."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r'(?:^\| |^- )"([^"]+)"', text, re.M)


@pytest.mark.parametrize("message", messages())
def test_troubleshooting_quotes_what_the_code_says(message: str) -> None:
    assert message.removeprefix("… ") in texts_of_the_code()


def test_troubleshooting_quotes_messages() -> None:
    assert len(messages()) > 30


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST_README


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / ".pre-commit-config.yaml"], ids=lambda path: path.name)
def test_documents_name_no_machine(path: Path) -> None:
    assert not re.search(r"/(home|work|root|Users|opt)/|[A-Z]:\\\\", path.read_text(encoding="utf-8"))


def test_shell_scripts_are_well_formed() -> None:
    scripts = sorted((ROOT / "scripts").glob("*.sh"))
    assert len(scripts) >= 3
    for path in scripts:
        assert subprocess.run(["bash", "-n", path]).returncode == 0, path
    text = (ROOT / "scripts" / "test.sh").read_text(encoding="utf-8")
    for check in ("ruff check", "ruff format --check", "mypy", "pytest"):
        assert f"-m {check}" in text
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    for check in ("ruff check", "ruff format --check", "mypy"):
        assert f"entry: .venv/bin/{check}\n" in hooks


def test_the_extension_is_built_as_the_readme_installs_it(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "scripts/build_extension.py", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (built,) = tmp_path.glob("*.zip")
    assert f" out/{built.name}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def examples(word: str) -> list[str]:
    """CONTRIBUTING's blocks of Python that hold a word."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return [code for code in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S) if word in code]


def check_prints(code: str, folder: Path = ROOT) -> None:
    """Runs an example as it stands; what it prints stands beside it as a comment."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PWD": str(folder)}  # Blender resolves paths by PWD
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    told = re.findall(r"print\(.*\)  # (.*)$", code, re.M)
    assert told and [line for line in done.stdout.splitlines() if line in told] == told, done.stdout


def test_example_of_a_camera_prints_what_it_says() -> None:
    (code,) = examples("Cameras.batch")
    check_prints(code)


def test_example_of_a_slider_moves_the_mesh(tmp_path: Path) -> None:
    pytest.importorskip("bpy")
    (words,) = [words for words in commands(ROOT / "CONTRIBUTING.md") if key_of(words) == "scripts/image_to_3d.py"]
    absolute = [str(ROOT / word) if word.startswith(("scripts/", "examples/")) else word for word in words[1:]]
    done = subprocess.run([sys.executable, *absolute], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (code,) = examples("is_unrender")
    check_prints(code, tmp_path)


def test_example_of_a_training_task_learns_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe, followed: the module, its name in TASKS, and the commands below it."""
    from backend.commands import train

    (code,) = examples("class MeanColour(Task)")
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    name, where = re.findall(r'as `"([\w-]+)": "([\w.]+)"`', text)[0]
    monkeypatch.setitem(sys.modules, f"backend.{where}", module := types.ModuleType(f"backend.{where}"))
    module.__package__ = "backend.training"
    exec(compile(code, "CONTRIBUTING.md", "exec"), vars(module))
    monkeypatch.setitem(train.TASKS, name, where)
    lines_of = [words for words in commands(ROOT / "CONTRIBUTING.md") if key_of(words) == f"scripts/train.py {name}"]
    first, more = (arguments_of(words) for words in lines_of)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    assert train.main(first) == 0 and train.main(first) == 1, "a run is not written over"
    assert train.main(more) == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "mean" / "log.jsonl").read_text().splitlines()]
    figures = [line["validation/loss"] for line in lines if "validation/loss" in line]
    assert lines[-1]["step"] == 80 and figures[-1] < 0.9 * lines[0].get("loss", 9)


def test_the_drawing_of_the_floors_is_what_the_boundary_test_allows() -> None:
    from tests.test_boundaries import ALLOWED

    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    edges = re.findall(r"^    (\w+)(?:\[\S+\])? --> (\w+)", text, re.M)
    assert len(edges) > 10
    for upper, lower in edges:
        assert lower in (ALLOWED[upper] if upper != "addon" else {"ipc", "common"}), f"{upper} may not import {lower}"
