"""HTML and SVG, put together so that nothing which anybody said can become markup.

Owns: escaping. Text becomes text, whatever is in it; only what `tag` made is taken as it is.
Rules: control characters, and those that turn the direction of writing, are shown as such.
"""

import html


class Markup(str):
    """Text that is markup already."""


def text(value) -> Markup:
    """Any value as it is read."""
    return value if isinstance(value, Markup) else _escaped(value)


def tag(name: str, *children, **attributes) -> Markup:
    """An element. `class_` is class, `data_label` data-label; an attribute that is None is left out."""
    said = "".join(f' {_name(key)}="{_escaped(value)}"' for key, value in attributes.items() if value is not None)
    return Markup(f"<{name}{said}>{join(*children)}</{name}>")


def join(*children) -> Markup:
    """Markup and text, one after the other; None is nothing."""
    return Markup("".join(text(each) for each in children if each is not None))


def _escaped(value) -> Markup:
    shown = "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in str(value))
    return Markup(html.escape(shown))


def _name(key: str) -> str:
    return key if key == "viewBox" else key.rstrip("_").replace("_", "-")
