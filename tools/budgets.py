"""Keep the code small: fails if a file, function or signature under src/ outgrows the project's budgets.

Budgets (CONTRIBUTING.md): functions have a median of at most 12 code lines, a 90th percentile of at most 40 and none
over 80; files at most 400 lines; public functions at most 8 arguments, all typed and documented; no import cycle.
Code lines of a function are its lines without docstring, comments and blank lines.
"""

from __future__ import annotations

import ast
import graphlib
import statistics
import sys
from pathlib import Path

MAX_FILE, MAX_FUNCTION, P90_FUNCTION, MEDIAN_FUNCTION, MAX_ARGUMENTS = 400, 80, 40, 12, 8
Function = ast.FunctionDef | ast.AsyncFunctionDef


def code_lines(function: Function, lines: list[str]) -> int:
    """Lines of `function` from its `def` on, without docstring, comments and blanks."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    skipped = set(range(first.lineno, (first.end_lineno or first.lineno) + 1)) if documented else set()
    numbers = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    kept = [n for n in numbers if n not in skipped and (text := lines[n - 1].strip()) and not text.startswith("#")]
    return len(kept)


def signature_problems(function: Function, where: str) -> list[str]:
    """What a public function lacks: types, documentation, or brevity."""
    args = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    args = [a for a in args if a.arg not in ("self", "cls")]
    problems = []
    if len(args) > MAX_ARGUMENTS:
        problems.append(f"{where}: {len(args)} arguments, at most {MAX_ARGUMENTS}")
    untyped = [a.arg for a in args if a.annotation is None]
    if untyped or function.returns is None:
        problems.append(f"{where}: untyped {', '.join(untyped) or 'result'}")
    if ast.get_docstring(function) is None:
        problems.append(f"{where}: no docstring")
    return problems


def public_functions(tree: ast.Module, file: Path) -> list[Function]:
    """Functions and methods without a leading underscore in their own name, their class's or their module's."""
    if file.name.startswith("_") and file.name != "__init__.py":
        return []
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    nodes = [*tree.body, *(member for c in classes for member in c.body)]
    return [n for n in nodes if isinstance(n, Function) and not n.name.startswith("_")]


def imported_modules(tree: ast.Module, module: str, is_package: bool, known: set[str]) -> set[str]:
    """Modules of the package that `module` imports at its top level (imports inside functions do not count)."""
    found: set[str] = set()
    parts = module.split(".")
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = node.level - (1 if is_package else 0)
            base = parts[: len(parts) - up] if node.level else []
            source = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found |= {f"{source}.{alias.name}" for alias in node.names} | {source}
    return (found & known) - {module}


def cycle(root: Path, files: list[Path]) -> str | None:
    """One import cycle of the package at `root`, as text, or None."""
    names = {".".join(f.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"): f for f in files}
    graph = {}
    for name, file in names.items():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        package = file.name == "__init__.py"
        # A package is not its own submodule's dependency: `from .x import y` inside it is no cycle.
        graph[name] = {m for m in imported_modules(tree, name, package, set(names)) if not name.startswith(m + ".")}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return " -> ".join(error.args[1])
    return None


def main() -> int:
    """Print what breaks a budget; 0 if nothing does."""
    root = Path(__file__).resolve().parent.parent / "src" / "fourreal"
    files, problems, sizes = sorted(root.rglob("*.py")), [], []
    for file in files:
        text = file.read_text(encoding="utf-8")
        lines, tree, shown = text.splitlines(), ast.parse(text), file.relative_to(root.parent)
        if len(lines) > MAX_FILE:
            problems.append(f"{shown}: {len(lines)} lines, at most {MAX_FILE}")
        for node in ast.walk(tree):
            if isinstance(node, Function):
                size = code_lines(node, lines)
                sizes.append(size)
                if size > MAX_FUNCTION:
                    problems.append(f"{shown}:{node.lineno} {node.name}: {size} code lines, at most {MAX_FUNCTION}")
        for node in public_functions(tree, file):
            problems += signature_problems(node, f"{shown}:{node.lineno} {node.name}")
    median, p90 = statistics.median(sizes), statistics.quantiles(sizes, n=10)[-1]
    print(
        f"{len(files)} files, {len(sizes)} functions: median {median:g}, p90 {p90:g}, longest {max(sizes)} code lines"
    )
    if median > MEDIAN_FUNCTION or p90 > P90_FUNCTION:
        problems.append(f"functions grew: median at most {MEDIAN_FUNCTION}, 90th percentile at most {P90_FUNCTION}")
    if loop := cycle(root, files):
        problems.append(f"import cycle: {loop}")
    print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
