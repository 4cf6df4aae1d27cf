"""Read the arguments of a class or function from its source, without importing its package.

Importing Lightning's trainer takes seconds, which an error of a command line should not.
"""

import ast
import importlib.util
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hydra._internal.utils import _locate


@dataclass(frozen=True)
class Definition:
    """A class or function in the source of a module.

    Attributes:
        node: its syntax tree.
        module: names the module.
        tree: of that module.
    """

    node: ast.ClassDef | ast.FunctionDef
    module: str
    tree: ast.Module


def arguments_of(target: str | None) -> Mapping[str, str]:
    """Return the arguments of a class or function with their annotations; empty if there is none.

    What the source does not show (a signature that is made as the module runs) is imported.

    Args:
        target: its dotted name.
    """
    if target is None:
        return {}
    try:
        arguments = _read(target)
    except (OSError, RecursionError, SyntaxError, ValueError):
        arguments = None
    return _import(target) if arguments is None else arguments


@lru_cache
def _read(target: str) -> Mapping[str, str] | None:
    """Return the arguments that the source shows; None where it does not."""
    module, _, name = target.rpartition(".")
    definition = _find(module, name)
    while definition is not None:
        if isinstance(definition.node, ast.FunctionDef):
            return _arguments(definition.node)
        for node in definition.node.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                return _arguments(node, skip=1)
        definition = _base(definition.node, definition)
    return None


def _arguments(function: ast.FunctionDef, skip: int = 0) -> Mapping[str, str]:
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs][skip:]
    return {item.arg: ast.unparse(item.annotation) if item.annotation else "" for item in named}


def _base(node: ast.ClassDef, definition: Definition) -> Definition | None:
    """Return the class that a class takes its arguments from; None where that is not simple."""
    if node.decorator_list or len(node.bases) != 1 or not isinstance(node.bases[0], ast.Name):
        return None
    return _find_in(definition.tree, definition.module, node.bases[0].id)


def _find(module: str, name: str) -> Definition | None:
    """Find a name in a module, or where the module imports it from."""
    path = _source(module)
    return None if path is None else _find_in(_parse(path), module, name)


@lru_cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def _find_in(tree: ast.Module, module: str, name: str) -> Definition | None:
    for node in reversed(tree.body):  # the last definition counts
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return Definition(node, module, tree)
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return _find(_imported_from(node, module), alias.name)
    return None


def _imported_from(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    path = _source(module)
    above = node.level - (path is not None and path.name == "__init__.py")
    parents = module.split(".")[: len(module.split(".")) - above]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _source(module: str) -> Path | None:
    """Return the file of a module. Only the outermost package is looked up, which runs nothing."""
    package, *names = module.split(".")
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin)
    if names:
        path = path.parent.joinpath(*names)
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path if path.is_file() and path.suffix == ".py" else None


def _import(target: str) -> Mapping[str, str]:
    try:
        parameters = inspect.signature(_locate(target)).parameters
    except Exception:  # importing runs any code; building the object will report it
        return {}
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: "" if item.annotation is item.empty else inspect.formatannotation(item.annotation)
        for name, item in parameters.items()
        if item.kind in named
    }
