"""Rules and refusals in words, for whoever is refused and whoever grants."""

from . import rule

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

# What would have to change, for each of rule.REASONS; and which condition is named in it.
_TEXTS = (
    ("no rule names %s", None),
    ("%s is allowed, but not with this method", None),
    ("condition %d is not known to this version: update it", None),
    ("%s", rule.BOUNDS),
    ("only %d times, and they are used up: ask for a new grant", rule.USES),
    ("it has ended: ask for a new grant", None),
    ("only %s, and the time is not known here: set the clock", rule.WINDOWS),
    ("the rule knows local time only from a later day on", None),
    ("it has not begun yet", None),
    ("only %s; it is %s", rule.WINDOWS),
    ("the policy here is more than %d s old: bring a new one", rule.FRESH),
    ("only %d times in %d s: wait", rule.RATE),
    ("show that you are here by the kiosk's %s", rule.PRESENCE),
    ("%d of %s must approve it", rule.APPROVALS),
    ("", None),
    ("denied by the rule %s, until an admin lifts it", None),
    ("locked down by the rule %s, until an admin lifts it", None),
)


def refusal_text(step, one, by, request, moment):
    """What would have to change for a refused request; `one`: the (pattern, methods, conditions) behind it."""
    text, number = _TEXTS[step]
    conditions = one[2] if one else {}
    value = conditions.get(number, ())
    if step < 2:
        value = request[1]
    elif step == 2:
        value = min([each for each in conditions if not 1 <= each <= rule.LIFE])
    elif step > 14:
        value = by
    elif number == rule.BOUNDS:
        # MicroPython's dicts keep no order, and the answer is the same there.
        name = min([each for each in value if rule.exceeds({number: {each: value[each]}}, request) is not False])
        value = bounds_text(name, value[name])
    elif number == rule.WINDOWS:
        value = windows_text(value) if value else "until a certain time"
        if step == 9:
            value = value, moment_text(conditions.get(rule.ZONE), moment[0])
    elif number == rule.PRESENCE:
        value = "code" if value == rule.CODE else "button"
    elif number == rule.APPROVALS:
        value = value[0], " or ".join(value[1])
    return text % (tuple(value) if isinstance(value, list) else value)


def windows_text(windows):
    """Windows in words: "Mon-Fri 08:00-18:00, Sat"."""
    return ", ".join([window_text(window) for window in windows])


def window_text(window):
    """A window in words: "Mon-Fri 08:00-18:00"; "Mon-Fri" for whole days."""
    days, start, end = window
    runs = []
    for day in range(7):
        if days >> day & 1:
            if runs and runs[-1][1] == day - 1:
                runs[-1][1] = day
            else:
                runs.append([day, day])
    names = " ".join([DAYS[a] if a == b else DAYS[a] + "-" + DAYS[b] for a, b in runs])
    return names if start == end == 0 else names + " " + _clock_text(start) + "-" + _clock_text(end)


def bounds_text(name, bounds):
    """The bounds of one argument in words: "seconds 1 to 10", "seconds at most 10"."""
    least, most = bounds
    if least is None:
        return "%s at most %d" % (name, most)
    if most is None:
        return "%s at least %d" % (name, least)
    return "%s %d to %d" % (name, least, most)


def moment_text(zone, moment):
    """A moment of the week in words, as a rule's zone has it: "Sun 10:00"."""
    minutes = moment // 60 + rule.offsets(zone, moment, moment)[0][2]
    return DAYS[(minutes // rule.DAY_MINUTES + 3) % 7] + " " + _clock_text(minutes % rule.DAY_MINUTES)


def _clock_text(minute):
    return "%02d:%02d" % (minute // 60, minute % 60)
