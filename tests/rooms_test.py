"""Who may import whom: the rooms of design section 2, read from the source with `ast`.

Imports inside functions and under TYPE_CHECKING count. Only `equipoise/__init__.py`, the lazy
front door, may name every room. Each rule has been seen to fail on a planted source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "equipoise"

BOTTOM = ("errors", "estimate", "engine", "display", "webguard")
# From the top down; rooms of one row may not import each other.
ROOMS = (
    ("cli",),
    ("app",),
    ("study",),
    ("report",),
    ("simulate",),
    ("realise",),
    ("measure",),
    ("inclusion", "panels", "llm"),
    ("equilibrium",),
    ("game",),
    BOTTOM,
)
HEIGHT = {room: len(ROOMS) - row for row, rooms in enumerate(ROOMS) for room in rooms}
EXAMINERS = {"equilibrium.certificate", "equilibrium.uniqueness", "measure.mixture_exam"}
SOLVING = {
    "simplex", "projection", "solve", "solvers", "methods", "closed_form", "mean_field",
    "mean_field_kl",
    "affine_vi", "network", "monotone", "outcome", "network_large", "network_kernels", "kernels",
    "kernels_general", "passes", "answers", "shard_pass", "shard_solve", "dynamics",
    "dynamics_steps", "mixture_fit", "mixture_ends", "law_joint",
}  # fmt: skip
LOOP = {"panels.audience", *(
    f"simulate.{name}" for name in ("loop", "learners", "laws", "rules", "streams", "exact")
)}  # fmt: skip
FORMULAS = (
    "game.term",
    "game.terms",
    "game.curved_terms",
    "game.affine",
    "game.alignment_game",
    "equilibrium",
    "inclusion",
    "measure",
)
TERMINAL = "cli.terminal"


def sources(package: Path) -> dict[str, ast.Module]:
    """Dotted name inside the package -> syntax tree."""
    out = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__") or "__init__"
        out[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return out


def imports(name: str, tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """Every module of the package that `name` imports, without the leading "equipoise."."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                inside = ["equipoise", *name.split(".")]
                is_package = any(module.startswith(f"{name}.") for module in modules)
                kept = inside[: len(inside) - node.level + is_package]
                base = ".".join([*kept, *([base] if base else [])])
            found = [base] + [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and _is_import_module(node):
            found = [str(node.args[0].value)]  # type: ignore[attr-defined]  # checked there
        else:
            continue
        for module in found:
            if module == "equipoise" or module == "equipoise.__version__":
                continue
            inner = module.removeprefix("equipoise.")
            if inner != module and (inner in modules or "." not in inner):
                yield inner


def _is_import_module(node: ast.Call) -> bool:
    named = getattr(node.func, "attr", getattr(node.func, "id", ""))
    first = node.args[0] if node.args else None
    return named in ("import_module", "__import__") and isinstance(first, ast.Constant)


def room(module: str) -> str:
    return module.split(".")[0]


def may_import(name: str, target: str) -> bool:
    """The import rule of design section 2."""
    ours, theirs = room(name), room(target)
    if ours == theirs:
        return True
    if ours not in HEIGHT or theirs not in HEIGHT:
        return False
    if ours == "llm":
        return theirs in BOTTOM
    if ours == "panels":
        return theirs in BOTTOM or target in ("game", "game.groups")
    if ours in BOTTOM:
        return theirs in BOTTOM
    return HEIGHT[theirs] < HEIGHT[ours]


def wrong_imports(package: Path) -> list[str]:
    trees = sources(package)
    modules = set(trees)
    return [
        f"{name} imports {target}"
        for name, tree in trees.items()
        if name != "__init__"
        for target in sorted(set(imports(name, tree, modules)))
        if not may_import(name, target)
    ]


def reached(package: Path, starts: set[str]) -> Iterator[tuple[str, str]]:
    """Every start, with each module it imports, also through others; itself among them."""
    trees = sources(package)
    modules = set(trees)
    graph = {name: set(imports(name, tree, modules)) for name, tree in trees.items()}
    for start in sorted(starts & modules):
        seen, todo = set(), [start]
        while todo:
            here = todo.pop()
            if here not in seen and here != "__init__":
                seen.add(here)
                todo += [module for module in graph.get(here, ()) if module in modules]
        yield from ((start, module) for module in sorted(seen))


def examiners_with_a_solver(package: Path) -> list[str]:
    """Certificates and uniqueness reach no solver and no projection, not even through others."""
    out = []
    for examiner, module in reached(package, EXAMINERS):
        first, _, last = module.rpartition(".")
        if first in ("equilibrium", "measure") and last in SOLVING:
            out.append(f"{examiner} reaches {module}")
    return out


def loops_with_a_formula(package: Path) -> list[str]:
    """The closed loop reaches no utility and no solver: a formula cannot test itself."""
    return [
        f"{one} reaches {module}"
        for one, module in reached(package, LOOP)
        if any(module == f or module.startswith(f"{f}.") for f in FORMULAS)
    ]


def writers(package: Path) -> list[str]:
    """Places that write to the terminal, other than the one function of cli/terminal.py.

    What stands under `if __name__ == "__main__"` writes to the pipe of a parent process. The entry
    of the command has one line of its own for Ctrl-C while terminal.py is still being imported.
    """
    out = []
    for name, tree in sources(package).items():
        allowed: set[ast.AST] = set()
        for part in tree.body:
            say = name == TERMINAL and isinstance(part, ast.FunctionDef) and part.name == "say"
            script = isinstance(part, ast.If) and "__name__ ==" in ast.unparse(part.test)
            entry = name == "cli.__main__" and isinstance(part, ast.FunctionDef)
            if say or script or entry:
                allowed |= set(ast.walk(part))
        for node in ast.walk(tree):
            if node in allowed or not isinstance(node, ast.Call):
                continue
            said = ast.unparse(node.func)
            if said in ("print", "builtins.print", "typer.echo", "typer.secho", "click.echo") or (
                "std" in said and said.endswith(("stdout.write", "stderr.write"))
            ):
                out.append(f"{name} line {node.lineno}: {said}")
    return out


def without_docstring(package: Path) -> list[str]:
    return [name for name, tree in sources(package).items() if not ast.get_docstring(tree)]


RULES = [
    wrong_imports, examiners_with_a_solver, loops_with_a_formula, writers, without_docstring
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_the_rule(rule) -> None:  # type: ignore[no-untyped-def]  # one of RULES
    assert rule(PACKAGE) == []


def test_the_package_was_found() -> None:
    known = {"__init__", "errors", "game.terms", TERMINAL, *EXAMINERS, *LOOP}
    assert known <= set(sources(PACKAGE))


PLANTED = [
    (wrong_imports, "game/bad.py", "from equipoise.equilibrium import solve"),
    (wrong_imports, "game/bad.py", "def f():\n    import equipoise.equilibrium.solve"),
    (wrong_imports, "game/bad.py", "from equipoise import equilibrium"),
    (wrong_imports, "game/bad.py", "if TYPE_CHECKING:\n    from ..equilibrium import solve"),
    (wrong_imports, "game/__init__.py", "from ..equilibrium import solve"),
    (wrong_imports, "game/bad.py", "import importlib\nimportlib.import_module('equipoise.cli')"),
    (wrong_imports, "panels/bad.py", "from equipoise.llm import store"),
    (wrong_imports, "panels/bad.py", "from equipoise.game import terms"),
    (wrong_imports, "llm/bad.py", "from equipoise.game.groups import Groups"),
    (wrong_imports, "inclusion/bad.py", "from equipoise.llm import store"),
    (wrong_imports, "errors.py", "from equipoise.game import terms"),
    (wrong_imports, "kitchen/bad.py", "from equipoise.game import terms"),
    (
        examiners_with_a_solver,
        "equilibrium/certificate.py",
        "from equipoise.equilibrium import solve",
    ),
    (examiners_with_a_solver, "equilibrium/uniqueness.py", "from .simplex import project"),
    (examiners_with_a_solver, "measure/mixture_exam.py", "from .mixture_fit import em_step"),
    (wrong_imports, "panels/bad.py", "from equipoise.measure import audit"),
    (loops_with_a_formula, "simulate/loop.py", "from equipoise.game.terms import Diversity"),
    (loops_with_a_formula, "simulate/loop.py", "def f():\n    from ..equilibrium import solve"),
    (loops_with_a_formula, "simulate/learners.py", "from .prediction import Change"),
    (loops_with_a_formula, "panels/audience.py", "from equipoise.game import terms"),
    (writers, "game/bad.py", "print('x')"),
    (writers, "cli/bad.py", "import sys\nsys.stdout.write('x')"),
    (writers, "cli/terminal.py", "def shout():\n    print('x')"),
    (writers, "cli/bad.py", "import typer\ntyper.echo('x')"),
    (without_docstring, "game/bad.py", "x = 1"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package that keeps every rule."""
    for name in ("game/__init__", "game/groups", "game/terms", "equilibrium/__init__",
                 "equilibrium/solve", "equilibrium/simplex", "equilibrium/certificate",
                 "panels/__init__", "llm/__init__", "llm/store", "measure/__init__",
                 "measure/mixture_fit", "measure/audit", "simulate/__init__", "simulate/loop",
                 "simulate/prediction", "errors", "__init__"):  # fmt: skip
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text('"""What it is."""\n')
    (tmp_path / "equilibrium" / "solve.py").write_text(
        '"""What it is."""\nfrom equipoise.game import terms\nfrom . import certificate\n'
    )
    (tmp_path / "simulate" / "prediction.py").write_text(
        '"""What it is."""\nfrom equipoise.game.terms import Term\n'
    )
    (tmp_path / "simulate" / "loop.py").write_text(
        '"""What it is."""\nfrom equipoise.panels.panel import Panel\n'
    )
    (tmp_path / "panels" / "panel.py").write_text(
        '"""What it is."""\nfrom equipoise.game.groups import Groups\n'
    )
    return tmp_path


@pytest.mark.parametrize(("rule", "path", "source"), PLANTED)
def test_a_planted_fault_is_found(tree: Path, rule, path: str, source: str) -> None:  # type: ignore[no-untyped-def]  # one of RULES
    for each in RULES:
        assert each(tree) == []
    (tree / path).parent.mkdir(exist_ok=True)
    head = "" if rule is without_docstring else '"""What it is."""\n'
    (tree / path).write_text(head + source + "\n")
    assert rule(tree) != []
