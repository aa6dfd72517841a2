"""Counts the big multiplications of p256 without any trace in it: by a copy of the modules whose `*` and `%` tally.

The copy is made from the source's syntax tree, so what is counted is the code that ships. It lives in a package of its
own, where its imports find it, also those that happen later. CPython only.
"""

import ast
import importlib.util
import itertools
import sys
import types

import admit_protocol

# A product counts if both factors are longer than any blind or small constant, a reduction if it shortens anything.
FACTOR_BITS = 192
PRODUCT_BITS = 300
MODULES = ("p256_curve", "es256", "p256")
_PACKAGE = "counted_protocol%d"
_COPIES = itertools.count()


class Tally:
    """How often each happened since the last `clear`."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.multiplications = self.reductions = self.inversions = self.roots = 0

    def multiply(self, a, b):
        if isinstance(a, int) and isinstance(b, int) and min(a.bit_length(), b.bit_length()) > FACTOR_BITS:
            self.multiplications += 1
        return a * b

    def reduce(self, a, b):
        if isinstance(a, int) and a.bit_length() > PRODUCT_BITS:
            self.reductions += 1
        return a % b

    def power(self, *arguments):
        self.roots += 1
        return pow(*arguments)


class _Counting(ast.NodeTransformer):
    """Writes a * b as tally.multiply(a, b), and a % b as tally.reduce(a, b)."""

    calls = {ast.Mult: "multiply", ast.Mod: "reduce"}

    def visit_BinOp(self, node):
        self.generic_visit(node)
        name = self.calls.get(type(node.op))
        if name is None:
            return node
        function = ast.Attribute(ast.Name("tally", ast.Load()), name, ast.Load())
        return ast.copy_location(ast.Call(function, [node.left, node.right], []), node)


def counted_p256():
    """Copies of p256, es256 and p256_curve of admit_protocol that count, each for the others, and their `tally`."""
    tally = Tally()
    package = types.ModuleType(_PACKAGE % next(_COPIES))
    package.__path__ = admit_protocol.__path__  # whence the others come
    sys.modules[package.__name__] = package
    copies = {name: _counting_copy(package, name, tally) for name in MODULES}
    _count_inversions(copies["p256_curve"], copies["es256"], tally)
    return types.SimpleNamespace(tally=tally, **copies)


def _counting_copy(package, name, tally):
    path = importlib.util.find_spec("admit_protocol." + name).origin
    with open(path, encoding="utf-8") as source:
        tree = ast.fix_missing_locations(_Counting().visit(ast.parse(source.read())))
    module = types.ModuleType(f"{package.__name__}.{name}")
    module.__package__ = package.__name__
    module.tally, module.pow = tally, tally.power
    sys.modules[module.__name__] = module
    exec(compile(tree, path, "exec"), vars(module))
    return module


def _count_inversions(curve, es256, tally):
    invert = curve.invert

    def counting(value, modulus):
        tally.inversions += 1
        return invert(value, modulus)

    curve.invert = es256.invert = counting


def measure(tally, call):
    """(multiplications, reductions, inversions, roots) of one call."""
    tally.clear()
    call()
    return tally.multiplications, tally.reductions, tally.inversions, tally.roots
