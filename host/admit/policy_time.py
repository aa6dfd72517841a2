"""The time ahead, cut where what rules say of it may change; and what was found of its parts in words again.

Owns: spans between the begins and ends of lives, one week of each as cells between the hours of windows.
Rules: within a span every week is like the one that is looked at; a cell's first moment speaks for all of it.
Must not know: what is asked at a moment.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from admit.policy_model import offsets_ahead
from admit_protocol import rule

Life = tuple[int | None, int | None]

_DAY_S = 86400
_WEEK_S = 7 * _DAY_S
_DAY = 1440  # minutes
_WEEK = 7 * _DAY


@dataclass(frozen=True)
class Span:
    """From `begin` to `end` (unix seconds; None: for ever); `moments` begin the cells of a week in it, or of all of
    it if it is shorter. `minutes`: where each cell begins and ends in the local week, which is at `offset` from UTC.
    """

    begin: int
    end: int | None
    moments: tuple[int, ...]
    minutes: tuple[tuple[int, int], ...]
    offset: int


@dataclass(frozen=True)
class Spread:
    """When something holds: from `begin` (None: from now) to `end` (None: for ever), in `windows` as rule.WINDOWS has
    them, at `offset` minutes from UTC as it was `seen` in one week; all the time if there are none.
    """

    begin: int | None
    end: int | None
    windows: tuple[tuple[int, int, int], ...]
    offset: int
    seen: int

    @staticmethod
    def over(spans: list[Span], cells: list[tuple[int, int]]) -> "Iterator[Spread]":
        """The spreads that the cells (number of a span, number of a cell in it) make, those that touch as one."""
        by_span: dict[int, list[int]] = {}
        for number, cell in cells:
            by_span.setdefault(number, []).append(cell)
        runs: list[tuple[int, int, tuple[tuple[int, int, int], ...]]] = []
        for number, own in sorted(by_span.items()):
            span, first = spans[number], number
            windows = () if len(own) == len(span.moments) else _windows([span.minutes[each] for each in own])
            if runs and runs[-1][1:] == (number - 1, windows):
                first = runs.pop()[0]
            runs.append((first, number, windows))
        for first, last, windows in runs:
            begin, seen = spans[first].begin, (spans[first].offset, spans[first].moments[0])
            yield Spread(begin if first else None, spans[last].end, windows, *(seen if windows else (0, 0)))


def spans(now: int, rules: list[tuple[dict, Life]], denials: list[dict]) -> Iterator[Span]:
    """The time from `now` on, cut where the conditions and lives of rules, or conditions of denials, begin or end."""
    conditions = [each for each, _ in rules] + denials
    lives = [life for _, life in rules] + [each.get(rule.LIFE, (None, None)) for each in conditions]
    timed = [each for each in conditions if rule.WINDOWS in each]
    cuts = {moment for life in lives for moment in life if moment is not None and moment > now}
    cuts |= set(_where_zones_part(timed, now))
    begins = [now, *sorted(cuts)]
    for begin, end in zip(begins, [*begins[1:], None], strict=True):
        yield _span(begin, end, timed)


def _where_zones_part(timed: list[dict], now: int) -> Iterable[int]:
    """Where offsets change, if the rules do not all have the same ones."""
    ahead = [offsets_ahead(each, None, None, now) for each in timed]
    if not ahead or all(each == ahead[0] for each in ahead):
        return []
    return [begun for each in ahead for begun, _ in each if begun is not None]


def _span(begin: int, end: int | None, timed: list[dict]) -> Span:
    if not timed:
        return Span(begin, end, (begin,), ((0, _WEEK),), 0)
    first = _quiet_week(begin, end, timed)
    last = first + _WEEK_S if end is None else min(first + _WEEK_S, end)
    cuts = {first}
    for each in timed:
        offset = _offset(each, first) * 60
        midnight = (first + offset) // _DAY_S * _DAY_S - offset
        minutes = {minute for _, start, stop in each[rule.WINDOWS] for minute in (start, stop)}
        cuts |= {midnight + day * _DAY_S + minute * 60 for day in range(-1, 9) for minute in minutes}
    moments = sorted(each for each in cuts if first <= each < last)
    offset = _offset(timed[0], first)
    local = [(each // 60 + offset + 3 * _DAY) % _WEEK for each in moments]  # 1970-01-01 was a Thursday
    lengths = [(after - each) // 60 for each, after in zip(moments, [*moments[1:], last], strict=True)]
    minutes_of = tuple((start, start + length) for start, length in zip(local, lengths, strict=True))
    return Span(begin, end, tuple(moments), minutes_of, offset)


def _quiet_week(begin: int, end: int | None, timed: list[dict]) -> int:
    """Where a week begins, in the span if there is room, in which no clock changes."""
    for each in timed:
        for begun, _ in offsets_ahead(each, begin, begin + _WEEK_S, begin)[1:]:
            if begun is not None and (end is None or begun + _WEEK_S <= end):
                return begun
    return begin


def _offset(conditions: dict, moment: int) -> int:
    return rule.offsets(conditions.get(rule.ZONE), moment, moment)[0][2] or 0


def _windows(cells: list[tuple[int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Cells of a week, in minutes of it, as windows: days that have the same hours together."""
    days: dict[tuple[int, int], int] = {}
    for begin, end in _joined(cells):
        for day, start, stop in _by_day(begin, end):
            days[start, stop] = days.get((start, stop), 0) | 1 << day % 7
    return tuple(sorted((mask, start, stop) for (start, stop), mask in days.items()))


def _joined(cells: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cells that touch as one, over the end of the week too."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(cells):
        if joined and joined[-1][1] == begin:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((begin, end))
    if len(joined) > 1 and joined[-1][1] == joined[0][0] + _WEEK:
        first = joined.pop(0)
        joined[-1] = joined[-1][0], first[1] + _WEEK
    return joined


def _by_day(begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(day, start, stop) of minutes of the week: one for what is shorter than a day, else cut at each midnight."""
    if end - begin < _DAY:
        yield begin // _DAY, begin % _DAY, end % _DAY
        return
    while begin < end:
        stop = min((begin // _DAY + 1) * _DAY, end)
        yield begin // _DAY, begin % _DAY, stop % _DAY
        begin = stop
