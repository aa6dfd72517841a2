"""QR codes: of a link as a picture, and on a terminal.

A text may come in parts, each of which the code holds in the mode that suits it best (links.parts_on_page). What no
code holds is LocalError qr-too-long. Must not know: what the text says, and where the picture goes.
"""

import io
from collections.abc import Sequence
from typing import Any

import segno

from admit_protocol.errors import LocalError

Text = str | Sequence[str]
_BORDER = 4  # modules of white, ISO/IEC 18004 section 9.1


def image(text: Text, kind: str) -> bytes:
    """The code as a picture: `kind` is png or svg."""
    out = io.BytesIO()
    _code(text).save(out, kind=kind, scale=4)
    return out.getvalue()


def drawing(text: Text) -> bytes:
    """The code as an SVG that takes any size, black on white whatever is around it; with room for a scratch."""
    out = io.BytesIO()
    made = _made(text, "m", True)
    made.save(out, kind="svg", omitsize=True, border=_BORDER, dark="#000", light="#fff", xmldecl=False)
    return out.getvalue()


def lines(text: Text) -> list[str]:
    """The code in characters, two rows of it in each line, dark on light as scanners want it."""
    rows = [list(row) for row in _code(text).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    return ["".join(_CELLS[upper, lower] for upper, lower in zip(*pair, strict=True)) for pair in _pairs(rows)]


_CELLS = {(0, 0): "\N{FULL BLOCK}", (0, 1): "\N{UPPER HALF BLOCK}", (1, 0): "\N{LOWER HALF BLOCK}", (1, 1): " "}


def _code(text: Text):
    return _made(text, "l", False)


def _made(text: Text, error: str, boost: bool):
    try:
        return segno.make_qr(parts(text), error=error, boost_error=boost)
    except segno.DataOverflowError:
        raise LocalError("qr-too-long", "that is more than a QR code holds") from None


def parts(text: Text) -> Any:
    """The text as segno takes it."""
    return text if isinstance(text, str) else [(part, None) for part in text]


def _pairs(rows: list) -> list[tuple]:
    return list(zip(rows[::2], rows[1::2], strict=True))
