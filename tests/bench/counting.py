"""Counts the big multiplications of p256 without any trace in it: by a copy of the modules whose `*` and `%` tally.

The copy is made from the source's syntax tree, so what is counted is the code that ships. CPython only.
"""

import ast
import importlib.util
import sys
import types

# A product counts if both factors are longer than any blind or small constant, a reduction if it shortens anything.
FACTOR_BITS = 192
PRODUCT_BITS = 300
MODULES = ("admit_protocol.p256_curve", "admit_protocol.p256")


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
    """(p256, tally): a copy of admit_protocol.p256 on a copy of p256_curve, both counting."""
    tally = Tally()
    originals = {name: sys.modules.get(name) for name in MODULES}
    try:
        for name in MODULES:
            sys.modules[name] = _counting_copy(name, tally)
        return sys.modules["admit_protocol.p256"], tally
    finally:
        for name, module in originals.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})


def _counting_copy(name, tally):
    path = importlib.util.find_spec(name).origin
    with open(path, encoding="utf-8") as source:
        tree = ast.fix_missing_locations(_Counting().visit(ast.parse(source.read())))
    module = types.ModuleType(name)
    module.__package__ = name.rpartition(".")[0]
    module.tally, module.pow = tally, tally.power
    exec(compile(tree, path, "exec"), vars(module))
    if name.endswith("_curve"):
        _count_inversions(module, tally)
    return module


def _count_inversions(curve, tally):
    invert = curve.invert

    def counting(value, modulus):
        tally.inversions += 1
        return invert(value, modulus)

    curve.invert = counting


def measure(tally, call):
    """(multiplications, reductions, inversions, roots) of one call."""
    tally.clear()
    call()
    return tally.multiplications, tally.reductions, tally.inversions, tally.roots
