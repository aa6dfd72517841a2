"""Text on labels: a font that PDF and PNG share, its measures, and words fitted into a box.

Owns: which letters the font has. Vera, which comes with reportlab, has those of western Europe; a letter that it lacks
is printed as "?", never left out, and whoever prints is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import reportlab
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont

from admit_protocol.errors import LocalError

POINT = 25.4 / 72  # mm
LINE = 1.2  # of the letters' size
_MISSING = "?"
_BREAKS = "-._@+ "
_FEWER, _WHOLE = 0.7, 0.5  # of the size that is wished for: so small may letters be, to save a line or a broken word


class Font:
    """A TrueType font in `file`, for both kinds of output."""

    def __init__(self, file: Path):
        self.file = file
        self.name = f"admit-{file.stem}"
        try:
            self._font = TTFont(self.name, str(file))
        except (OSError, TTFError):
            raise LocalError("label-font", f"{file} is no TrueType font") from None
        registerFont(self._font)
        self._widths: dict[str, float] = {}

    def width(self, text: str, points: float) -> float:
        """How wide a text is, in mm."""
        return sum(map(self.advance, text)) * points

    def advance(self, letter: str) -> float:
        """How wide a letter is at one point, in mm."""
        if letter not in self._widths:
            self._widths[letter] = self._font.stringWidth(letter, 1) * POINT
        return self._widths[letter]

    def missing(self, text: str) -> str:
        """The letters that the font does not have."""
        return "".join(sorted({each for each in text if ord(each) not in self._font.face.charToGlyph}))

    def shown(self, text: str) -> str:
        """The text as it is printed."""
        lacking = self.missing(text)
        return "".join(_MISSING if each in lacking else each for each in text)


@dataclass(frozen=True)
class Fonts:
    """What a label is printed with."""

    plain: Font
    bold: Font

    def missing(self, texts: Iterable[str]) -> str:
        """The letters of all texts that come out as "?"."""
        text = "".join(texts)
        return "".join(sorted(set(self.plain.missing(text) + self.bold.missing(text))))


@cache
def load(file: Path | None = None) -> Fonts:
    """The fonts of a file of the user's, or those that come along. Raises LocalError label-font."""
    if file:
        return Fonts(Font(file), Font(file))
    folder = Path(reportlab.__file__).parent / "fonts"
    return Fonts(Font(folder / "Vera.ttf"), Font(folder / "VeraBd.ttf"))


def fit(
    text: str, font: Font, width: float, height: float, largest: float, lines: int = 1, smallest: float = 4.0
) -> tuple[list[str], float]:
    """(lines, points): the text as large as fits into width and height (mm), in so many lines at most.

    Fewer lines are worth somewhat smaller letters, whole words even smaller ones. Raises LocalError label-too-small.
    """
    passes = [(count, False, _FEWER) for count in range(1, lines + 1)] + [(lines, False, _WHOLE), (lines, True, 0.0)]
    for count, breaks_words, worth in passes:
        points = largest
        while points >= max(smallest, largest * worth):
            made = wrap(text, font, width, points)
            whole = breaks_words or all(line[-1] in _BREAKS for line in made[:-1])
            if whole and len(made) <= count and len(made) * points * LINE * POINT <= height:
                return [line.strip() for line in made], points
            points -= 0.25
    raise LocalError("label-too-small", f"there is no room on it for: {text}")


def fit_or_cut(
    text: str, font: Font, width: float, height: float, largest: float, lines: int
) -> tuple[list[str], float]:
    """As `fit`, but a text that is too long ends in "…"."""
    best = None
    least, most = 0, len(text)
    length = most  # the whole text first, then the longest beginning that fits, by halving
    while least <= most:
        shown = text if length == len(text) else text[:length].rstrip() + "…"
        try:
            best, least = fit(shown, font, width, height, largest, lines), length + 1
        except LocalError:
            most = length - 1
        length = (least + most) // 2
    if best is None:
        raise LocalError("label-too-small", f"there is no room on it for: {text}")
    return best


def wrap(text: str, font: Font, width: float, points: float) -> list[str]:
    """The text in lines of at most that width, each ending with a dash, dot or blank where one is near its end."""
    lines = []
    while text:
        end = _longest(text, font, width, points)
        if end < len(text):
            end = next((at for at in range(end, end // 3, -1) if text[at - 1] in _BREAKS), end)
        lines.append(text[:end])
        text = text[end:]
    return lines


def _longest(text: str, font: Font, width: float, points: float) -> int:
    """How many of the first letters fit, one at least; a blank at the end needs no room."""
    used = 0.0
    for end, letter in enumerate(text):
        used += font.advance(letter) * points
        if used > width and letter != " ":
            return max(end, 1)
    return len(text)
