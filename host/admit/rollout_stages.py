"""In what stages a release goes to many devices, and how many failures stop it: how people write it, and what follows.

A stage says how many devices must have proven themselves with the release before more of them are tried; so a bad one
reaches no more than a stage's devices. Must not know: devices, and what is done to them.
"""

import math
import re

from admit_protocol.errors import LocalError

ALL = "100%"
_STAGE = re.compile(r"([1-9][0-9]{0,5})(%?)")
_FAILURES = re.compile(r"([1-9][0-9]{0,5})-failures?")


def parse(text: str) -> str:
    """Stages as `1,10%,50%,100%`, checked: each reaches at least as far as the one before, wherever that can be said,
    and the last one everything. Raises LocalError form-rollout.
    """
    found = [_STAGE.fullmatch(each) for each in text.split(",")]
    for kind in ("", "%"):
        counts = [int(each[1]) for each in found if each and each[2] == kind]
        if counts != sorted(counts) or (kind and counts and counts[-1] > 100):
            found = [None]
    if None in found or text.split(",")[-1] != ALL:
        raise LocalError("form-rollout", f"'{text}' is not like 1,10%,50%,100%")
    return text


def parse_pause(text: str) -> int:
    """How many failures pause a rollout, from `2-failures`. Raises LocalError form-pause."""
    found = _FAILURES.fullmatch(text)
    if not found:
        raise LocalError("form-pause", f"'{text}' is not like 2-failures")
    return int(found[1])


def targets(stages: str, devices: int) -> list[int]:
    """How many of so many devices must run the release at the end of each stage. A share is rounded up."""
    counts: list[int] = []
    for each in stages.split(","):
        wanted = math.ceil(int(each[:-1]) * devices / 100) if each.endswith("%") else int(each)
        counts.append(max([min(wanted, devices), *counts[-1:]]))
    return counts


def stage_of(stages: str, devices: int, proven: int) -> int:
    """In which stage, from 1 on, a rollout is of whose devices so many have proven themselves."""
    counts = targets(stages, devices)
    return next((number for number, count in enumerate(counts, 1) if proven < count), len(counts))
