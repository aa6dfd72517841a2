"""The plots of a health page, as SVG inside the page: one quantity of one device over time.

Owns: their geometry. Colours are the page's (CSS classes), so that they follow light and dark.
Rules: each plot says in words what it shows (its label), each mark what it stands for (its title); a time without an
answer is hatched, never bridged by a line; nothing is told by colour alone.
Must not know: where the numbers come from.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from admit.report_markup import Markup, tag

_WIDTH, _HEIGHT = 340, 132
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 8, 22
_POINTS = 240  # of one line; of more, the lowest of each stretch
_DOTS = 60

Point = tuple[int, float | None]  # unix seconds; None: asked, and nothing was told


@dataclass(frozen=True)
class Span:
    """The time that a page shows, from `begin` to `end` in unix seconds, and its zone."""

    begin: int
    end: int
    zone: ZoneInfo

    def x(self, at: int) -> float:
        """Where a time is in a plot."""
        share = (min(max(at, self.begin), self.end) - self.begin) / max(self.end - self.begin, 1)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def words(self, at: int) -> str:
        """A time as people read it."""
        return f"{datetime.fromtimestamp(at, self.zone):%Y-%m-%d %H:%M}"


def plot(title: str, lines: Sequence[tuple[str, Sequence[Point]]], span: Span, restarts: Sequence[int] = ()) -> Markup:
    """A plot of one or two lines, (name, points) each; the second is dashed. `restarts`: when the device started."""
    values = [value for _, points in lines for _, value in points if value is not None]
    low, high = _range(values)
    marks = [*_grid(low, high), *_times(span), *_silences(lines[0][1], span), *_restarts(restarts, span)]
    for number, (name, points) in enumerate(lines):
        marks += _line(name, _thinned(points), span, (low, high), restarts, number)
    label = f"{title}: " + "; ".join(_told(name, points) for name, points in lines)
    drawn = tag("svg", *marks, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=label)
    told = tag("figcaption", tag("b", title), " ", "; ".join(_told(name, points) for name, points in lines))
    return tag("figure", told, drawn)


def shown(value: float) -> str:
    """A number as it is read: 61,000 or 21.5."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def _told(name: str, points: Sequence[Point]) -> str:
    values = [value for _, value in points if value is not None]
    if not values:
        return f"{name} nothing told".lstrip()
    if min(values) == max(values):
        return f"{name} {shown(values[-1])} all the time".lstrip()
    when = "last" if points[-1][1] is None else "now"
    return f"{name} {shown(values[-1])} {when}, {shown(min(values))} to {shown(max(values))}".lstrip()


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From where to where the scale goes, in two steps of a round number: from 0, unless that is far away."""
    low, high = min(values, default=0), max(values, default=1)
    low = low if low < 0 or low > 0.6 * high and high > low else 0
    step = 10.0 ** math.floor(math.log10(max((high - low) / 2, 1e-3)))
    for size in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 20):
        begin = math.floor(low / (step * size)) * step * size
        if begin + 2 * step * size >= high:
            break
    return begin, begin + 2 * step * size


def _y(value: float, scale: tuple[float, float]) -> float:
    low, high = scale
    return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """At most _POINTS: of each stretch the lowest, or one without an answer."""
    if len(points) <= _POINTS:
        return points
    size = -(-len(points) // _POINTS)
    stretches = [points[start : start + size] for start in range(0, len(points), size)]
    return [min(each, key=lambda point: float("-inf") if point[1] is None else point[1]) for each in stretches]


def _line(name: str, points: Sequence[Point], span: Span, scale: tuple, restarts, number: int) -> Iterator[Markup]:
    kind = f"line{number + 1}"
    for piece in _pieces(points, restarts):
        path = " ".join(f"{_n(span.x(at))},{_n(_y(value, scale))}" for at, value in piece)
        yield tag("polyline", tag("title", name) if name else None, points=path, class_=kind)
        for at, value in piece if len(points) <= _DOTS or len(piece) == 1 else ():
            words = tag("title", " ".join(f"{span.words(at)}: {name} {shown(value)}".split()))
            place = {"cx": _n(span.x(at)), "cy": _n(_y(value, scale)), "r": 2.5}
            yield tag("circle", words, class_=f"dot{number + 1}", **place)


def _pieces(points: Sequence[Point], restarts: Sequence[int]) -> Iterator[list]:
    """What may be joined: neither over a time without an answer, nor over a start of the device."""
    piece: list = []
    for at, value in points:
        if piece and (value is None or any(piece[-1][0] < start <= at for start in restarts)):
            yield piece
            piece = []
        if value is not None:
            piece.append((at, value))
    if piece:
        yield piece


def _silences(points: Sequence[Point], span: Span) -> Iterator[Markup]:
    """The times in which the device did not answer: from the last answer before to the next one."""
    last, silent_from = None, None
    for at, value in [*points, (span.end, 0.0)]:
        if value is None and silent_from is None:
            silent_from = last or at
        elif value is not None:
            if silent_from is not None:
                x, end = span.x(silent_from), span.x(at)
                words = tag("title", f"no answer between {span.words(silent_from)} and {span.words(at)}")
                size = {"width": _n(max(end - x, 3)), "height": _HEIGHT - _TOP - _BOTTOM}
                yield tag("rect", words, x=_n(x), y=_TOP, class_="silence", **size)
            silent_from = None
            last = at


def _restarts(restarts: Sequence[int], span: Span) -> Iterator[Markup]:
    for at in restarts:
        x = _n(span.x(at))
        words = tag("title", f"started before {span.words(at)}")
        yield tag("line", words, x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="restart")


def _grid(low: float, high: float) -> Iterator[Markup]:
    for part in range(3):
        value = low + (high - low) * part / 2
        y = _n(_y(value, (low, high)))
        yield tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid")
        yield tag("text", _short(value), x=_LEFT - 5, y=_n(float(y) + 4), text_anchor="end")


def _times(span: Span) -> Iterator[Markup]:
    form = "%H:%M" if span.end - span.begin <= 2 * 86400 else "%b %d"
    for part, anchor in ((0, "start"), (0.5, "middle"), (1, "end")):
        at = int(span.begin + (span.end - span.begin) * part)
        words = f"{datetime.fromtimestamp(at, span.zone):{form}}"
        yield tag("text", words, x=_n(span.x(at)), y=_HEIGHT - 6, text_anchor=anchor)


def _short(value: float) -> str:
    """A number for a scale: 61K, 1.2M, 21.5."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
