"""The size-budget script itself works: it passes the project, and notices what it should."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def budgets() -> ModuleType:
    path = Path(__file__).parent.parent / "tools" / "budgets.py"
    spec = importlib.util.spec_from_file_location("budgets", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def function(text: str) -> tuple[ast.FunctionDef, list[str]]:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node, text.splitlines()


def test_docstrings_comments_and_blanks_are_not_code(budgets: ModuleType) -> None:
    text = 'def f(x: int) -> int:\n    """Say.\n\n    More.\n    """\n    # why\n\n    y = x\n    return y\n'
    assert budgets.code_lines(*function(text)) == 3


def test_long_signatures_missing_types_and_docs_are_reported(budgets: ModuleType) -> None:
    arguments = ", ".join(f"a{i}" for i in range(9))
    node, _ = function(f"def f({arguments}):\n    pass\n")
    problems = " ".join(budgets.signature_problems(node, "here"))
    assert "9 arguments" in problems
    assert "untyped a0" in problems
    assert "no docstring" in problems


def test_an_import_cycle_is_found(budgets: ModuleType, tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from .b import y\n")
    (package / "b.py").write_text("from pack import c\n")
    (package / "c.py").write_text("def f():\n    from . import a\n")
    assert budgets.cycle(package, sorted(package.rglob("*.py"))) is None, "an import inside a function is no cycle"
    (package / "c.py").write_text("from . import a\n")
    assert "pack.a" in budgets.cycle(package, sorted(package.rglob("*.py")))


def test_the_project_keeps_its_budgets(budgets: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert budgets.main() == 0, capsys.readouterr().out
