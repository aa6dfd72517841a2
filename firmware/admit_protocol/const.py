"""`const` gives a number a name that costs a board nothing.

mpy-cross knows the word: where it meets `_NAME = const(3)` it writes 3 wherever `_NAME` stands, and keeps no `_NAME`.
A name without the underscore is kept as well, for other modules. It is MicroPython's own `const`, which CPython lacks.
"""


def const(value):
    """`value` itself."""
    return value
