"""The package's rooms: imports go down the floors and never in a circle; files and functions are short."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "benchmark"
MOST_FILES, FILE_LINES, FUNCTION_LINES = 10, 300, 50

# From the top down.
FLOORS = ["__main__", "commands", "report.overview", "report.page", "report.figures", "report.tables", "report"]
FLOORS += ["features", "tune", "contract", "training", "workflow", "results", "study", "methods", "data", "metrics"]
FLOORS += ["settings", "models", "ground"]
GROUND = {"__init__", "names", "registry", "paths", "files", "seeds", "stamp", "errors"}
FLOOR_OF = {room: number for number, room in enumerate(reversed(FLOORS))}


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package by its name within it; a folder's own is ``folder.__init__``."""
    return {
        ".".join(file.relative_to(PACKAGE).with_suffix("").parts): ast.parse(file.read_text(encoding="utf-8"))
        for file in sorted(PACKAGE.rglob("*.py"))
    }


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Yield what a module imports from the package, with the line; in functions and for the type checker too."""
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            folder = ["benchmark", *name.split(".")][: -node.level] if node.level else []
            start = ".".join([*folder, *([node.module] if node.module else [])])
            targets = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            if target.split(".")[0] == "benchmark":
                yield module_of(target.split(".")[1:]), node.lineno


def module_of(parts: list[str]) -> str:
    """Return the module that a dotted name belongs to; the rest of it names something within."""
    names = (".".join(parts[:length] + end) for length in range(len(parts), 0, -1) for end in ([], ["__init__"]))
    return next((name for name in names if name in modules()), "__init__")


def room(name: str) -> str:
    """Return the room that a module belongs to, as `FLOORS` names it."""
    parts = name.split(".")
    if ".".join(parts[:2]) in FLOOR_OF and len(parts) > 2:
        return ".".join(parts[:2])
    return "ground" if name in GROUND else parts[0]


def none_of(breaches: list[str]) -> None:
    assert not breaches, "\n" + "\n".join(breaches)


def test_every_module_has_a_floor():
    none_of([f"benchmark.{name}: in none of {', '.join(FLOOR_OF)}" for name in modules() if room(name) not in FLOOR_OF])


def test_imports_go_down_the_floors():
    none_of(
        [
            f"benchmark.{name}, line {line}: imports benchmark.{target} from above"
            for name in modules()
            for target, line in imports(name)
            if FLOOR_OF[room(name)] < FLOOR_OF[room(target)]
        ]
    )


def test_no_imports_form_a_circle():
    try:
        TopologicalSorter({name: {target for target, _ in imports(name)} - {name} for name in modules()}).prepare()
    except CycleError as error:
        raise AssertionError(" is imported by ".join(error.args[1])) from None


def test_few_files_stand_at_the_top():
    files = [file.name for file in PACKAGE.glob("*.py") if file.name != "__init__.py"]
    assert len(files) <= MOST_FILES, sorted(files)


def test_no_two_modules_have_one_name():
    places: dict[str, list[str]] = {}
    for name in modules():
        places.setdefault(name.rpartition(".")[2], []).append(f"benchmark.{name}")
    none_of([" and ".join(names) for stem, names in places.items() if stem != "__init__" and len(names) > 1])


def test_files_and_functions_are_short():
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in PACKAGE.rglob("*.py")}
    long = [f"{file.relative_to(ROOT)}: {lines} lines" for file, lines in lengths.items() if lines > FILE_LINES]
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"benchmark.{name}.{node.name}, line {node.lineno}: {lines} lines")
    none_of(long)


def test_the_manual_has_a_map_of_the_rooms():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    mapped = set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE))
    assert mapped == {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
