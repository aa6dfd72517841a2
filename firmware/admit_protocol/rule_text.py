"""The conditions of a rule in words, for whoever is refused and whoever grants."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


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
    names = [DAYS[a] if a == b else DAYS[a] + "-" + DAYS[b] for a, b in runs]
    if start == end == 0:
        return " ".join(names)
    return " ".join(names) + " " + _clock_text(start) + "-" + _clock_text(end)


def bounds_text(name, bounds):
    """The bounds of one argument in words: "seconds 1 to 10", "seconds at most 10"."""
    least, most = bounds
    if least is None:
        return "%s at most %d" % (name, most)
    if most is None:
        return "%s at least %d" % (name, least)
    return "%s %d to %d" % (name, least, most)


def moment_text(day, minute):
    """A moment of the week in words: "Sun 10:00"."""
    return DAYS[day] + " " + _clock_text(minute)


def _clock_text(minute):
    return "%02d:%02d" % (minute // 60, minute % 60)
