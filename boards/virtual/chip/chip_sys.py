"""`sys` on a virtual chip: the interpreter's, with a chip's standard output."""

import sys

import line


class _Sys:
    """No module, since only an object can pass on what a program makes of `sys.path`."""

    stdout = line.Out()
    argv = []

    def __getattr__(self, name):
        return getattr(sys, name)

    @property
    def path(self):
        return sys.path

    @path.setter
    def path(self, folders):
        sys.path = folders


module = _Sys()
