"""What the project's Python files import, read from their source and never executed.

Owns: finding imports (also inside functions, and `__import__("name")` and `import_module("name")`), and which file of
the project a name stands for. Must not know: what may import what (tests/test_arrows.py).
"""

import ast
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE_FOLDERS = ["firmware", "host", "provisioning"]

# name: dotted and absolute; deferred: whether it happens inside a function, when that is called
Import = namedtuple("Import", "name line deferred")


def imports_of(source, module=""):
    """Imports in the source text of `module`, whose dotted name resolves relative ones (a package ends in .__init__).

    `from a import b` gives both a and a.b, as b may be a module.
    """
    return list(_walk(ast.parse(source), module, deferred=False))


def _walk(node, module, deferred):
    for child in ast.iter_child_nodes(node):
        for name in _names(child, module):
            yield Import(name, child.lineno, deferred)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, module, deferred or inside)


def _names(node, module):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        package = module.split(".")[: -node.level] if node.level else []
        base = ".".join(package + ([node.module] if node.module else []))
        return [base, *(f"{base}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = getattr(node.func, "id", getattr(node.func, "attr", None))
        if function in ("__import__", "import_module") and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def project_files():
    """(path, dotted name) of each Python file of the product: not of its tests or tools."""
    for folder in SOURCE_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)


def module_path(name):
    """The file in the project that module `name` stands for, or None."""
    for folder in SOURCE_FOLDERS:
        base = ROOT / folder / name.replace(".", "/")
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.exists():
                return path
    return None
