"""What stands where on a label: marks in millimetres from its upper left corner, the same for PDF and PNG.

Rules: nothing leaves the label, whatever the names; a module of a QR code is never smaller than a phone's camera can
tell apart. What does not fit is refused (label-too-small), never cut; but for the site's name, which is there for
people's comfort alone.
Must not know: where a secret comes from, nor how marks become ink.
"""

from dataclasses import dataclass

import segno

from admit.qr import parts
from admit_protocol.errors import LocalError
from admit_provisioning.label_text import LINE, POINT, Font, Fonts, fit, fit_or_cut
from admit_provisioning.stock import Stock

MIN_MODULE = 0.35  # mm
QUIET = 4  # modules of white around a QR code, ISO/IEC 18004 section 9.1
_EDGE = 1.0  # mm that even white keeps from the label's edge
_MAX_CODE = 34.0
_GAP = 1.2
_WIDE = 1.35  # width to height, from which on words stand beside the code
_BASE = 0.78  # of a line's height: where its base line is


@dataclass(frozen=True)
class Text:
    """A line of text: its left end on its base line."""

    x: float
    y: float
    text: str
    font: Font
    points: float
    white: bool = False


@dataclass(frozen=True)
class Code:
    """A QR code without its white border: its modules, row by row."""

    x: float
    y: float
    module: float
    rows: tuple[bytes, ...]


@dataclass(frozen=True)
class Box:
    """A filled bar, or a dashed frame."""

    x: float
    y: float
    width: float
    height: float
    dashed: bool = False


Mark = Text | Code | Box
Content = str | list[str]


@dataclass(frozen=True)
class Area:
    """A part of a label."""

    x: float
    y: float
    width: float
    height: float


def public(stock: Stock, fonts: Fonts, site: str, name: str, fingerprint: str, content: Content) -> list[Mark]:
    """The public label: its code, beside or above it the site, the device's name and its key's fingerprint."""
    words = fonts.plain.shown(site), fonts.bold.shown(name), fingerprint
    if stock.width < _WIDE * stock.height:
        return _public_tall(stock, fonts, words, content)
    side = min(stock.height - 2 * _EDGE, stock.width * 0.47, _MAX_CODE)
    code = qr(Area(_EDGE, (stock.height - side) / 2, side, side), content)
    left = _EDGE + side
    width = stock.width - left - stock.margin
    ink = Area(left, code.y, width, len(code.rows) * code.module)
    try:  # as high as the code's ink: that looks best
        return [code, *_public_words(ink, fonts, *words)]
    except LocalError:
        whole = Area(left, stock.margin, width, stock.height - 2 * stock.margin)
        return [code, *_public_words(whole, fonts, *words)]


def _public_tall(stock: Stock, fonts: Fonts, words: tuple[str, str, str], content: Content) -> list[Mark]:
    side = min(stock.width - 2 * _EDGE, stock.height * 0.6)
    code = qr(Area((stock.width - side) / 2, _EDGE, side, side), content)
    top = _EDGE + side
    below = Area(stock.margin, top, stock.width - 2 * stock.margin, stock.height - top - stock.margin)
    return [code, *_public_words(below, fonts, *words)]


def _public_words(area: Area, fonts: Fonts, site: str, name: str, fingerprint: str) -> list[Mark]:
    groups = [fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4)]
    room = area.height - 2 * _GAP
    above = fit_or_cut(site, fonts.plain, area.width, room * 0.28, 8, 3)
    below = fit("key " + " ".join(groups), fonts.plain, area.width, room * 0.28, 6.5, 2)
    middle = fit(name, fonts.bold, area.width, room - _tall(above) - _tall(below), 18, 6)
    return _stack(area, [(above, fonts.plain), (middle, fonts.bold), (below, fonts.plain)])


def sealed(stock: Stock, fonts: Fonts, site: str, air_name: str, code_text: str, content: str) -> list[Mark]:
    """The sealed label: what it is for at the left, the secret in a frame that a seal is to cover."""
    if stock.width < _WIDE * stock.height:
        raise LocalError("label-too-small", "a sealed label is printed on wide stock")
    inner = stock.height - 2 * stock.margin
    caption = fit("cover with a seal", fonts.plain, stock.width * 0.5, 2.2, 5.5)
    side = min(inner - _tall(caption) - 0.6, stock.width * 0.34, _MAX_CODE)
    groups = code_text.split("-")
    lines = ["-".join(groups[at : at + 2]) for at in range(0, len(groups), 2)]
    words = _equal(lines, fonts.bold, stock.width * 0.62 - side - 1, side)
    widest = max(fonts.bold.width(line, words[1]) for line in lines)
    frame = Box(stock.width - stock.margin - side - widest - 1, stock.margin, side + widest + 1, inner, dashed=True)
    top = frame.y + _tall(caption) + (inner - _tall(caption) - side) / 2
    left = Area(stock.margin, stock.margin, frame.x - 1 - stock.margin, inner)
    return [
        *_sealed_words(left, fonts, site, air_name),
        frame,
        *_lines(Area(frame.x + 1, frame.y + 0.4, frame.width, _tall(caption)), caption, fonts.plain),
        qr(Area(frame.x, top, side, side), content),
        *_lines(Area(frame.x + side, top, widest, side), words, fonts.bold),
    ]


def _sealed_words(area: Area, fonts: Fonts, site: str, air_name: str) -> list[Mark]:
    title, points = fit("SEALED", fonts.bold, area.width - 1.6, 5.0, 11)
    bar = points * POINT * 1.35
    marks: list[Mark] = [Box(area.x, area.y, area.width, bar)]
    marks.append(Text(area.x + 0.8, area.y + bar / 2 + points * POINT * 0.36, title[0], fonts.bold, points, white=True))
    rest = Area(area.x, area.y + bar + _GAP, area.width, area.height - bar - _GAP)
    room = rest.height - 2 * _GAP
    below = fit(
        "One use. Keep it closed: who reads it can take this device.", fonts.plain, area.width, room * 0.5, 6, 5
    )
    above = fit_or_cut(fonts.plain.shown(site), fonts.plain, area.width, room * 0.3, 7, 4)
    middle = fit(air_name, fonts.bold, area.width, room - _tall(below) - _tall(above), 9, 2)
    return marks + _stack(rest, [(above, fonts.plain), (middle, fonts.bold), (below, fonts.plain)])


def qr(area: Area, content: Content) -> Code:
    """A QR code with its white border in a square area. Raises LocalError label-too-small.

    What comes in parts is held part by part, each in the mode of QR codes that suits it.
    """
    made = segno.make_qr(parts(content), error="m", boost_error=True)
    rows = tuple(bytes(row) for row in made.matrix)
    module = area.width / (len(rows) + 2 * QUIET)
    if module < MIN_MODULE:
        need = MIN_MODULE * (len(rows) + 2 * QUIET)
        raise LocalError("label-too-small", f"its QR code needs {need:.0f} mm each way, and has {area.width:.0f}")
    return Code(area.x + QUIET * module, area.y + QUIET * module, module, rows)


Fitted = tuple[list[str], float]


def _equal(lines: list[str], font: Font, width: float, height: float) -> Fitted:
    """Given lines, as large as fits."""
    sizes = [fit(line, font, width, height, 10)[1] for line in lines]
    return lines, min(*sizes, height / (len(lines) * LINE * POINT))


def _tall(fitted: Fitted) -> float:
    lines, points = fitted
    return len(lines) * points * LINE * POINT


def _stack(area: Area, blocks: list[tuple[Fitted, Font]]) -> list[Mark]:
    """Three blocks of lines: one at the top, one at the bottom, one in the middle between them."""
    (first, _), (middle, _), (last, _) = blocks
    free = area.height - _tall(first) - _tall(middle) - _tall(last)
    tops = [area.y, area.y + _tall(first) + free / 2, area.y + area.height - _tall(last)]
    marks: list[Mark] = []
    for top, (fitted, font) in zip(tops, blocks, strict=True):
        marks += _lines(Area(area.x, top, area.width, _tall(fitted)), fitted, font)
    return marks


def _lines(area: Area, fitted: Fitted, font: Font) -> list[Mark]:
    """Lines from the left, in the middle of the area's height."""
    lines, points = fitted
    pitch = points * LINE * POINT
    first = area.y + (area.height - _tall(fitted)) / 2 + pitch * _BASE
    return [Text(area.x, first + number * pitch, line, font, points) for number, line in enumerate(lines)]
