"""QR codes: of a link as a picture, and on a terminal.

Must not know: what the text says, and where the picture goes.
"""

import io

import segno


def image(text: str, kind: str) -> bytes:
    """The code as a picture: `kind` is png or svg."""
    out = io.BytesIO()
    _code(text).save(out, kind=kind, scale=4)
    return out.getvalue()


def lines(text: str) -> list[str]:
    """The code in characters, two rows of it in each line, dark on light as scanners want it."""
    rows = [list(row) for row in _code(text).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    return ["".join(_CELLS[upper, lower] for upper, lower in zip(*pair, strict=True)) for pair in _pairs(rows)]


_CELLS = {(0, 0): "\N{FULL BLOCK}", (0, 1): "\N{UPPER HALF BLOCK}", (1, 0): "\N{LOWER HALF BLOCK}", (1, 1): " "}


def _code(text: str):
    return segno.make_qr(text, error="l", boost_error=False)


def _pairs(rows: list) -> list[tuple]:
    return list(zip(rows[::2], rows[1::2], strict=True))
