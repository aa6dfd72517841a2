"""A device's /release as a client sees it: what runs there, what is missing of a release, and what to do with it.

Owns: the bodies (docs/SPEC.md, "Maintenance"), read strictly. Each function is one request in a proven session.
Must not know: in what order they make an update (updating.py).
"""

from dataclasses import dataclass

from admit.client import Session
from admit.plain import one_line
from admit_protocol import cbor, coap, release
from admit_protocol.errors import Conflict, Malformed

# GET /release
_VERSION, _SET_HASH, _BOARD, _MPY, _SLOTS = 1, 2, 3, 5, 7
_RUNS, _ON_TRIAL, _FLOOR, _SEQUENCE, _STAGED, _ENDED, _OTHER, _FREE = range(1, 9)
# POST /release
_OPERATION, _MANIFEST = 1, 2
_STAGE, _SWITCH, _ROLLBACK, _ABANDON = 1, 2, 3, 4
# its answer
_LEFT, _MISSING, _DONE = 1, 2, 3

_DATA_HEAD = 3  # bytes at most before the data of a piece
_MAX_ITEMS = 300
_VERSION_LENGTH, _WORDS_LENGTH = 64, 200
_MAX_BODY = 4096  # of a request, that a device takes
_NONE = type(None)
_PATH = "/release"
_BAD = "release-body"


@dataclass(frozen=True)
class Running:
    """What a device says that it runs. `sequence`: 0 for what came over the cable; `other`: that of the release in the
    other slot, if it can be gone back to; `ended`: of which release the last trial ended, and why; `staged`: SHA-256 of
    the manifest of what is being brought; `free`: bytes of its flash.
    """

    version: str
    set_hash: bytes | None
    board: str
    mpy: int
    slot: str
    on_trial: bool
    floor: int
    sequence: int
    staged: bytes | None
    ended: tuple[int, str] | None
    other: int | None
    free: int


@dataclass(frozen=True)
class Staged:
    """How far a device is with a release: `left`: files that it has still to look for in what it runs; `missing`: of
    which items how many bytes are there; `done`: it runs this very set.
    """

    left: int
    missing: tuple[tuple[int, int], ...]
    done: bool


async def read(session: Session) -> Running:
    """What runs on the device. Raises Malformed release-body; Conflict release-no-slots if nothing else ever can."""
    body = cbor.expect(cbor.decode((await session.request(coap.GET, _PATH)).payload), dict, _BAD)
    if body.get(_SLOTS) is None:
        raise Conflict("release-no-slots", "what it runs was not installed by admit: it has no place for another")
    slots = cbor.expect(body[_SLOTS], dict, _BAD)
    ended = _field(slots, _ENDED, (list, _NONE))
    if ended is not None and [type(each) for each in ended] != [int, str]:
        raise Malformed(_BAD)
    return Running(
        version=one_line(_field(body, _VERSION, str), _VERSION_LENGTH),
        set_hash=_field(body, _SET_HASH, (bytes, _NONE)),
        board=_field(body, _BOARD, str),
        mpy=_field(body, _MPY, int),
        slot=_field(slots, _RUNS, str),
        on_trial=_field(slots, _ON_TRIAL, bool),
        floor=_field(slots, _FLOOR, int),
        sequence=_field(slots, _SEQUENCE, int),
        staged=_field(slots, _STAGED, (bytes, _NONE)),
        ended=ended and (ended[0], one_line(ended[1], _WORDS_LENGTH)),
        other=_field(slots, _OTHER, (int, _NONE)),
        free=_field(slots, _FREE, int),
    )


async def stage(session: Session, manifest: bytes) -> Staged:
    """Begin to bring a release, or go on with it."""
    return _staged((await _post(session, _STAGE, {_MANIFEST: manifest})).payload)


async def go_on(session: Session) -> Staged:
    """Have the device look for some more files in what it runs."""
    return _staged((await session.request(coap.PUT, _PATH, cbor.encode([]))).payload)


async def put(session: Session, item: int, offset: int, length: int, data: bytes) -> int:
    """Hand over a piece of an item of `length` bytes: how many of them are there now."""
    answer = await session.request(coap.PUT, _PATH, cbor.encode([item, offset, length, data]))
    have = cbor.expect(cbor.decode(answer.payload), int, _BAD)
    if not 0 <= have <= length:
        raise Malformed(_BAD)
    return have


async def switch(session: Session) -> None:
    """Have the device prove all of it, and restart into its trial."""
    await _post(session, _SWITCH)


async def roll_back(session: Session) -> None:
    """Have the device restart into what it ran before."""
    await _post(session, _ROLLBACK)


async def abandon(session: Session) -> None:
    """Have the device forget what was brought and does not run yet."""
    await _post(session, _ABANDON)


def piece_length(session: Session, item: int, length: int) -> int:
    """How many bytes of an item of `length` fit into one message of the session's link, wherever they begin."""
    room = min(session.room_beside(coap.request(coap.PUT, _PATH)), _MAX_BODY)
    return room - len(cbor.encode([item, length, length, b""])) - _DATA_HEAD + 1


async def _post(session: Session, operation: int, more: dict | None = None) -> coap.Message:
    return await session.request(coap.POST, _PATH, cbor.encode({_OPERATION: operation} | (more or {})))


def _staged(payload: bytes) -> Staged:
    body = cbor.expect(cbor.decode(payload), dict, _BAD)
    missing = _field(body, _MISSING, list)
    if len(missing) > _MAX_ITEMS or not all(isinstance(each, list) and _is_pair(each) for each in missing):
        raise Malformed(_BAD)
    pairs, left = tuple((item, have) for item, have in missing), _field(body, _LEFT, int)
    if not 0 <= left <= release.MAX_FILES or sorted(dict(pairs)) != [item for item, _ in pairs]:
        raise Malformed(_BAD)
    return Staged(left, pairs, _field(body, _DONE, bool))


def _is_pair(item: list) -> bool:
    return [type(each) for each in item] == [int, int] and min(item) >= 0


def _field(body: dict, key: int, kind):
    """A field of this kind. True is no number."""
    value = body.get(key)
    if isinstance(value, bool) and kind is not bool:
        raise Malformed(_BAD)
    return cbor.expect(value, kind, _BAD)
