"""The command line of admit: one table of commands (table.py), one module that prints (output.py)."""

__version__ = "0.1.0"
