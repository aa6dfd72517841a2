"""What commands that change who may do what have in common: how an act is done, and what is told of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from admit.compile_access import Changes
from admit.editing import Edit, editing, rehearsing
from admit_cli.command import Call
from admit_cli.output import say, warn


@contextmanager
def act(call: Call) -> Iterator[Edit]:
    """An act of the admin; what follows is told when it is done."""
    with editing(call.site, call.signer, call.now) as edit:
        yield edit
    for text in edit.warnings:
        warn(text)
    tell(edit.changes)


def rehearse(call: Call, work: Callable[[Edit], object]) -> Edit:
    """Work out what an act would lead to, and keep nothing."""
    with rehearsing(call.site, call.now) as edit:
        work(edit)
    for text in edit.warnings:
        warn(text)
    return edit


def tell(changes: Changes) -> None:
    """What followed, in one line."""
    parts = [_many(len(changes.issued), "grant", "issued"), _many(len(changes.revoked), "grant", "taken back")]
    parts += [_many(len(changes.invites), "invite", "taken back"), _many(len(changes.devices), "device", "to tell")]
    if told := ", ".join(part for part in parts if part):
        say(f"{told}." + (" admit sync DEVICE tells one; admit status shows who has heard." if changes.devices else ""))


def change_fields(changes: Changes) -> dict:
    """What followed, as --json gives it."""
    return {
        "issued": sorted(row.id for row in changes.issued if row.id),
        "taken_back": sorted([row.id for row in changes.revoked] + [row.id for row in changes.invites]),
        "devices": changes.devices,
    }


def _many(count: int, what: str, done: str) -> str:
    return f"{count} {what}{'s' * (count != 1)} {done}" if count else ""
