"""Label stock: the sheets and rolls that are common, by name, and where on a sheet the n-th label is.

Owns: sizes in millimetres. They are those of gLabels' templates (avery-iso, avery-us, dymo-other, brother-other), with
the nominal gaps of Avery's A4 sheets; a sheet is symmetric, so its margins follow from the rest. What a printer cannot
reach, and what it misplaces, is kept free by `margin`.
Must not know: what is on a label.
"""

from dataclasses import dataclass

from admit_protocol.errors import NotFound

_A4 = (210.0, 297.0)
_LETTER = (215.9, 279.4)
_INCH = 25.4


@dataclass(frozen=True)
class Stock:
    """Labels of `width` by `height`; on a sheet in `columns` and `rows`, with a gap between. A roll has no sheet."""

    name: str
    title: str
    width: float
    height: float
    sheet: tuple[float, float] | None = None
    columns: int = 1
    rows: int = 1
    gap: float = 0.0  # between columns; between rows there is none
    margin: float = 2.0
    dpi: int = 300

    @property
    def page(self) -> tuple[float, float]:
        """Width and height of a page: a sheet, or one label of a roll."""
        return self.sheet or (self.width, self.height)

    @property
    def on_a_page(self) -> int:
        """How many labels a page has."""
        return self.columns * self.rows

    def place(self, number: int) -> tuple[int, float, float]:
        """(page, left, top) of a label; both numbers count from 0, row by row."""
        page, on_page = divmod(number, self.on_a_page)
        row, column = divmod(on_page, self.columns)
        width, height = self.page
        left = (width - self.columns * self.width - (self.columns - 1) * self.gap) / 2
        top = (height - self.rows * self.height) / 2
        return page, left + column * (self.width + self.gap), top + row * self.height


_STOCKS = (
    Stock("avery-l7160", "A4, 21 labels of 63.5 x 38.1 mm", 63.5, 38.1, _A4, 3, 7, 2.54),
    Stock("avery-l7163", "A4, 14 labels of 99.1 x 38.1 mm", 99.1, 38.1, _A4, 2, 7, 2.5),
    Stock("avery-l7651", "A4, 65 labels of 38.1 x 21.2 mm", 38.1, 21.2, _A4, 5, 13, 2.5, margin=1.5),
    Stock("avery-5160", "Letter, 30 labels of 2 5/8 x 1 in", 2.625 * _INCH, _INCH, _LETTER, 3, 10, 0.125 * _INCH),
    Stock("avery-5163", "Letter, 10 labels of 4 x 2 in", 4 * _INCH, 2 * _INCH, _LETTER, 2, 5, 0.1875 * _INCH),
    Stock("dymo-11354", "roll, 57 x 32 mm, 300 dpi", 57.0, 32.0),
    Stock("brother-dk-11208", "roll, 90 x 38 mm, 300 dpi", 90.0, 38.0, margin=3.1),
    Stock("zebra-2x1", "roll, 2 x 1 in, 203 dpi", 2 * _INCH, _INCH, margin=1.5, dpi=203),
)
DEFAULT = "avery-l7160"


def names() -> list[str]:
    """The names of all stock."""
    return [stock.name for stock in _STOCKS]


def load(name: str) -> Stock:
    """The stock of a name. Raises NotFound stock-unknown."""
    for stock in _STOCKS:
        if stock.name == name.lower():
            return stock
    raise NotFound("stock-unknown", f"no stock {name}; there is {', '.join(names())}")
