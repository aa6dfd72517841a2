"""Names that a board need not keep. MicroPython keeps every name that it has met in the heap, for good, in tables each
twice as large as the one before; a number costs nothing, and a letter that others use too costs it once.

Owns: what is called otherwise on a board: public constants of one module are put in where others use them, and a
module's private functions, methods and attributes get letters, the same in every module.
Rules: the program does the same. What is not understood stays as it is. A traceback of a board names the file, and of a
private function no more than its letter.
Must not know: what a module is for.
"""

import ast
import functools
import string
from collections.abc import Container, Iterator

from admit_provisioning.shrink import parse

_PLAIN = ast.Constant | ast.UnaryOp | ast.BinOp | ast.operator | ast.unaryop
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

Edit = tuple[int, int, str]  # from offset to offset of the source: that instead


def squeeze(sources: dict[str, bytes], kept: Container[str] = ()) -> dict[str, bytes]:
    """The sources, by the dotted names of their modules, with fewer names in them. Whoever imports from a module in
    `kept`, and is not among them, finds its constants there.
    """
    try:
        return _squeeze(sources, kept)
    finally:
        _nodes.cache_clear()


def _squeeze(sources: dict[str, bytes], kept: Container[str]) -> dict[str, bytes]:
    trees = {name: parse(source) for name, source in sources.items()}
    constants = {name: dict(_constants(tree)) for name, tree in trees.items()}
    asked_for = {alias.name for tree in trees.values() for node in _imports(tree) for alias in node.names}
    asked_for |= {node.attr for tree in trees.values() for node in _nodes(tree) if isinstance(node, ast.Attribute)}
    attributes = _attributes(trees)
    squeezed = {}
    for name, tree in trees.items():
        own = {} if name in kept else constants[name]
        names, places = _shorter(tree, own, asked_for), _Places(sources[name])
        edits = [*_edits(places, name, tree, constants, names), *_attribute_edits(places, tree, attributes[name])]
        squeezed[name] = _edited(sources[name], edits)
    return squeezed


@functools.cache
def _nodes(tree: ast.AST) -> list[ast.AST]:
    """Every node of a tree, found once: a set of firmware is walked through in many ways."""
    return list(ast.walk(tree))


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name, value) of each public constant of a module: numbers and texts, which nothing in it binds again."""
    for node in tree.body:
        match node:
            case ast.Assign([ast.Name(id=name)], ast.Call(ast.Name(id="const"), [value])) if name[0] != "_":
                if all(isinstance(part, _PLAIN) for part in ast.walk(value)) and _bound(tree).count(name) == 1:
                    yield name, f"({ast.unparse(value)})"


def _shorter(tree: ast.Module, constants: dict[str, str], asked_for: Container[str]) -> dict[str, str]:
    """What a module calls its own constants and its private functions instead."""
    bound = _bound(tree)
    taken = {node.id for node in _nodes(tree) if isinstance(node, ast.Name)} | set(bound)
    names = {name: f"_{name}_" if f"_{name}" in taken else f"_{name}" for name in constants}
    letters = (f"_{letter}" for letter in string.ascii_letters if f"_{letter}" not in taken)
    for node in tree.body:
        if isinstance(node, _FUNCTION) and node.name[0] == "_" and node.name not in asked_for:
            if bound.count(node.name) == 1 and (letter := next(letters, None)):
                names[node.name] = letter
    return names


def _bound(tree: ast.Module) -> list[str]:
    """Every name that something in a module binds, as often as that happens."""
    found = []
    for node in _nodes(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                found.append(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append(name)
    return found


def _attributes(trees: dict[str, ast.Module]) -> dict[str, dict[str, str]]:
    """By module, what its private attributes and methods are called instead: those that no other module touches, and
    those that every module has for itself.
    """
    families, owned = _families(trees), {}
    for name, family in families.items():
        owned[name] = {attr for each in family for attr in _private_attributes(trees[each])}
    told = {attr for name, tree in trees.items() for attr in _told(tree, owned[name])}
    touched = {name: _touched(tree) for name, tree in trees.items()}
    shorter = {}
    for name, family in families.items():
        others: set[str] = set().union(*(touched[each] for each in trees if each not in family))
        used: set[str] = set().union(*(touched[each] for each in family))
        spoken = {text for each in family for text in _spoken(trees[each])}
        letters = (f"_{letter}" for letter in string.ascii_letters if f"_{letter}" not in used)
        shorter[name] = dict(zip(sorted(owned[name] - (others & told) - spoken), letters, strict=False))
    return shorter


def _told(tree: ast.Module, owned: Container[str]) -> Iterator[str]:
    """Attributes that may be others', since they are not its own or not of `self`; and texts, which may be anything."""
    for node in _nodes(tree):
        match node:
            case ast.Attribute(ast.Name(id="self"), attr) if attr in owned:
                pass
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.Constant(value=str(name)):
                yield name


def _families(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """By module, those that it shares classes with: of which one is made of the other's, and itself."""
    families = {name: {name} for name in trees}
    defined = {name: {node.name for node in _classes(tree)} for name, tree in trees.items()}
    for name, tree in trees.items():
        called = {alias.asname: alias.name for node in _imports(tree) for alias in node.names if alias.asname}
        bases = {called.get(each, each) for node in _classes(tree) for base in node.bases for each in _touched(base)}
        for other in trees:
            if bases & defined[other]:
                family = families[name] | families[other]
                families |= dict.fromkeys(family, family)
    return families


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in _nodes(tree) if isinstance(node, ast.ClassDef)]


def _private_attributes(tree: ast.Module) -> Iterator[str]:
    """Attributes that a module sets, and methods that it defines, for itself."""
    for node in _nodes(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store()) if _is_private(name):
                yield name
            case ast.ClassDef(body=body):
                yield from (each.name for each in body if isinstance(each, _FUNCTION) and _is_private(each.name))


def _is_private(name: str) -> bool:
    return name[0] == "_" and name[:2] != "__"


def _touched(tree: ast.AST) -> set[str]:
    """Every name and every text in it."""
    found = set()
    for node in _nodes(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name) | ast.Constant(value=str(name)):
                found.add(name)
    return found


def _spoken(tree: ast.Module) -> Iterator[str]:
    """What a module also uses as a name or a text, and what stands inside of a text, where ast loses its place."""
    inside = [part for node in _nodes(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)]
    yield from (part.attr for part in inside if isinstance(part, ast.Attribute))
    yield from (node.id for node in _nodes(tree) if isinstance(node, ast.Name))
    yield from (node.value for node in _nodes(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


class _Places:
    """Where the parts of a source stand in it: `source` is counted in bytes, as ast does."""

    def __init__(self, source: bytes):
        self._begins = [0]
        for line in source.splitlines(keepends=True):
            self._begins.append(self._begins[-1] + len(line))

    def whole(self, node: ast.stmt | ast.expr, text: str) -> Edit:
        """`text` instead of all of `node`."""
        assert node.end_lineno and node.end_col_offset is not None
        begin = self._begins[node.lineno - 1] + node.col_offset
        return begin, self._begins[node.end_lineno - 1] + node.end_col_offset, text

    def name(self, node: ast.FunctionDef | ast.AsyncFunctionDef, text: str) -> Edit:
        """`text` instead of a function's name."""
        begin = self._begins[node.lineno - 1] + node.col_offset
        begin += len("async def " if isinstance(node, ast.AsyncFunctionDef) else "def ")
        return begin, begin + len(node.name.encode()), text

    def attribute(self, node: ast.Attribute, text: str) -> Edit:
        """`text` instead of what stands behind the dot."""
        assert node.end_lineno and node.end_col_offset is not None
        end = self._begins[node.end_lineno - 1] + node.end_col_offset
        return end - len(node.attr.encode()), end, text


def _edits(
    places: _Places, module: str, tree: ast.Module, constants: dict[str, dict[str, str]], names: dict[str, str]
) -> Iterator[Edit]:
    names = dict(names)
    modules: dict[str, str] = {}
    folded = _folds_const(tree)
    for statement in _imports(tree):
        origin = _origin(statement, module)
        found = constants.get(origin, {})
        gone = [alias for alias in statement.names if alias.name in found or (folded and alias.name == "const")]
        names |= {alias.asname or alias.name: found[alias.name] for alias in gone if alias.name in found}
        modules |= {alias.asname or alias.name: f"{origin}.{alias.name}" for alias in statement.names}
        if gone:
            dots = "." * statement.level + (statement.module or "")
            left = ", ".join(ast.unparse(alias) for alias in statement.names if alias not in gone)
            yield places.whole(statement, f"from {dots} import {left}" if left else "pass")
    for node in _nodes(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name in names:
                yield places.name(node, names[name])
            case ast.Name(id=name) if name in names:
                yield places.whole(node, names[name])
            case ast.Attribute(ast.Name(id=name), attr) if attr in constants.get(modules.get(name, ""), {}):
                yield places.whole(node, constants[modules[name]][attr])


def _attribute_edits(places: _Places, tree: ast.Module, names: dict[str, str]) -> Iterator[Edit]:
    for node in _nodes(tree):
        match node:
            case ast.Attribute(attr=name) if name in names:
                yield places.attribute(node, names[name])
            case ast.ClassDef(body=body):
                methods = [each for each in body if isinstance(each, _FUNCTION) and each.name in names]
                yield from (places.name(each, names[each.name]) for each in methods)


def _imports(tree: ast.Module) -> Iterator[ast.ImportFrom]:
    return (node for node in _nodes(tree) if isinstance(node, ast.ImportFrom))


def _origin(node: ast.ImportFrom, module: str) -> str:
    """The dotted name of the module that is imported from."""
    package = module.split(".")[: -node.level] if node.level else []
    return ".".join([*package, *([node.module] if node.module else [])])


def _folds_const(tree: ast.Module) -> bool:
    """Does mpy-cross work out each `const` of this module itself?"""
    calls = [node for node in _nodes(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "const"]
    parts = [part for call in calls for argument in call.args for part in ast.walk(argument)]
    return all(isinstance(part, _PLAIN | ast.Tuple | ast.Name | ast.Load) for part in parts)


def _edited(source: bytes, edits: list[Edit]) -> bytes:
    for begin, end, text in sorted(edits, reverse=True):
        source = source[:begin] + text.encode() + source[end:]
    return source
