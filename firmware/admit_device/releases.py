"""Updates: /release, beyond saying what runs. Loaded for each request.

A release is staged (its manifest), its items arrive piece by piece, and `switch` proves all of it once more from the
flash before the one write after which the next start is its trial (trial.py). The files are the port's (`updates`,
ports.py); what a release says is admit_protocol.release's. Who may ask is resources.py's.
Rules: nothing counts that the site's authority has not signed for this board; the set that runs is never touched.
"""

import sys

from admit_protocol import cbor, journal, release
from admit_protocol.coap import CHANGED, CONTENT_CBOR, POST, response
from admit_protocol.const import const
from admit_protocol.errors import (
    Conflict,
    Malformed,
    Replayed,
    StorageError,
    TooLarge,
    Unauthenticated,
    Untrusted,
    Unverified,
)
from admit_protocol.kdf import sha256

# Bodies: see docs/SPEC.md, "Maintenance".
_OPERATION = const(1)
_MANIFEST = const(2)
_STAGE = const(1)
_SWITCH = const(2)
_ROLLBACK = const(3)
_ABANDON = const(4)
_TO_LOOK_AT = const(1)
_MISSING = const(2)
_DONE = const(3)

# What is kept of releases, a list: the site that it is about; the floor; {slot: [set hash, sequence, floor, version]},
# to which the partition that MicroPython must run from is added once there were two; [sequence, reason] of the last
# trial that failed, or None; on which kinds of links it can be reached, or could be.
STORED = const("release")
_SITE = const(0)
FLOOR = const(1)
SLOTS = const(2)
LAST = const(3)
KINDS = const(4)
SEQUENCE = const(1)  # of what is kept of a slot
SET_FLOOR = const(2)
SET_VERSION = const(3)
_PARTITION = const(4)

_FRESH_MS = const(10_000)
_AT_ONCE = const(16)  # files that are looked at, or copied, in one request: some seconds of a chip's time
_BODY = "release-body"


def installed(device):
    """The hash of the firmware set that runs, or None. Who asks twice in ten seconds, as a host before and after it
    makes the board a device, has the flash read once: a chip takes a second for that.
    """
    now_ms = device.clock.monotonic_ms()
    if device.set_read is None or now_ms - device.set_read[1] >= _FRESH_MS:
        device.set_read = device.ports.installed(), now_ms
    return device.set_read[0]


def describe(device):
    """Field 7 of GET /release, or None on a board without slots."""
    updates = device.ports.updates()
    if updates is None:
        return None
    try:
        known = stored(device)
    except StorageError:
        known = [None, None, {}, None, []]
    staged, other = updates.staged(), known[SLOTS].get(updates.other)
    back = other[SEQUENCE] if other and other[SEQUENCE] >= known[FLOOR] else None
    return {
        1: updates.slot,
        2: updates.trial() == "on",
        3: known[FLOOR],
        4: _running(device, updates, known),
        5: sha256(staged) if staged else None,
        6: known[LAST],
        7: back,
        8: updates.room(),
    }


def answer(request, device):
    """POST /release: an operation. PUT: a piece of what is staged. Raises AdmitError."""
    if request.session is None:  # the cable of a factory device, which knows no authority
        raise Unauthenticated("session-needed")
    updates = device.ports.updates()
    if updates is None:
        raise Conflict("release-no-slots")
    if updates.trial() is not None:
        raise Conflict("release-on-trial")
    try:
        return _do(request, device, updates)
    except OSError as error:
        raise StorageError("storage-failed", "errno %s" % error.errno)


def _do(request, device, updates):
    body = cbor.decode(request.payload)
    if request.method != POST:
        return _tell(_take(body, device, updates) if body else _look(device, updates))
    operation = cbor.expect(body, dict, _BODY).get(_OPERATION)
    if len(body) != (2 if operation == _STAGE else 1) or type(operation) is not int:
        raise Malformed(_BODY)
    if operation == _STAGE:
        return _tell(_stage(cbor.expect(body.get(_MANIFEST), bytes, _BODY), device, updates))
    if operation == _SWITCH:
        _switch(device, updates)
    elif operation == _ROLLBACK:
        _roll_back(device, updates)
    elif operation == _ABANDON:
        updates.abandon()
        device.staging = None
    else:
        raise Malformed(_BODY)
    return response(CHANGED)


def stored(device):
    """What is kept of releases. Raises StorageError if it is damaged: then no floor is known, and nothing replaced."""
    site = device.identity.anchor.site_id if device.identity.anchor else None
    data = device.ports.storage.read(STORED)
    kept = cbor.decode(data) if data else [None]
    return kept if site and kept[_SITE] == site else [site, 0, {}, None, []]


def store(device, known):
    """Keep that."""
    device.ports.storage.write(STORED, cbor.encode(known))


# -- operations --


def _stage(data, device, updates):
    manifest = release.parse(data)
    release.verify(manifest, device.identity.anchor, device.suite)
    if manifest.set_hash == installed(device) and _place(manifest, updates) is None:
        _adopt(manifest, device, updates)
        return {_TO_LOOK_AT: 0, _MISSING: [], _DONE: True}
    _check(manifest, device, updates)
    if updates.staged() != data:
        if updates.room() < manifest.room:
            raise StorageError("release-no-room", "%d bytes are needed" % manifest.room)
        device.staging = None
        updates.stage(data)
    return _state(device, updates)


def _adopt(manifest, device, updates):
    """It runs already: if it is a later release of the same files, its number and its floor count from now on."""
    known = stored(device)
    own = _own(device, updates, known)
    if manifest.sequence <= own[SEQUENCE]:
        return
    _check(manifest, device, updates)
    told = [manifest.set_hash, manifest.sequence, manifest.floor, manifest.version]
    known[SLOTS][updates.slot], known[FLOOR] = told + own[_PARTITION:], max(known[FLOOR], manifest.floor)
    store(device, known)
    device.journal.record(journal.RELEASE, None, manifest.version, journal.DONE, {journal.COUNT: manifest.sequence})


def _place(manifest, updates):
    """Where an image of MicroPython goes; None if there is none, or it runs already."""
    if manifest.image is None:
        return None
    from admit_device.images import place

    return place(manifest, updates)


def _check(manifest, device, updates):
    """Is it one for this board, at this time? Where its image goes, if that is to come."""
    ports, known = device.ports, stored(device)
    if ports.name not in manifest.boards:
        raise Untrusted("release-other-board", "it is for " + ", ".join(manifest.boards))
    if ports.port != manifest.port:
        raise Untrusted("release-other-port", "it is for " + manifest.port)
    place = _place(manifest, updates)
    if place is None and manifest.bytecode != getattr(sys.implementation, "_mpy", 0) & 0xFF:
        raise Untrusted("release-other-bytecode", "it is for version %d" % manifest.bytecode)
    if manifest.sequence < known[FLOOR]:
        raise Replayed("release-floor", "nothing below %d may run" % known[FLOOR])
    if manifest.sequence <= _running(device, updates, known):
        raise Replayed("release-replayed", "this one, or a later one, runs")
    earliest = device.clock.moment()[0]
    if earliest is not None and earliest >= manifest.expires:
        raise Untrusted("release-expired")
    return place


def _switch(device, updates):
    """Prove all of it from the flash, then have the next start run it."""
    data = updates.staged()
    if data is None or not updates.is_listed():
        raise Conflict("release-not-staged")
    manifest = release.parse(data)
    release.verify(manifest, device.identity.anchor, device.suite)
    place = _check(manifest, device, updates)
    files = release.FileList()
    for row in updates.rows():
        files.add(row)
        there = updates.digest(row[0])
        if there is None:
            raise Conflict("release-incomplete", row[0])
        if there != row[2]:
            device.staging = None
            raise Unverified("release-damaged", row[0])
    if files.count != updates.count():
        device.staging = None
        raise Conflict("release-incomplete", "the slot holds other files too")
    if (files.list_hash(), files.set_hash()) != (manifest.list_hash, manifest.set_hash):
        raise Unverified("release-damaged", "the list")
    if place:
        from admit_device.images import prove

        prove(place, manifest, device)
    _try(device, updates, [manifest.set_hash, manifest.sequence, manifest.floor, manifest.version], place)


def _roll_back(device, updates):
    known = stored(device)
    there = known[SLOTS].get(updates.other)
    if there is None or updates.installed() != there[0]:
        raise Conflict("release-nothing-to-go-back-to")
    if there[SEQUENCE] < known[FLOOR]:
        raise Replayed("release-floor", "nothing below %d may run" % known[FLOOR])
    _try(device, updates, there[:_PARTITION], updates.image(there[_PARTITION]) if there[_PARTITION:] else None)


def _try(device, updates, other, place=None):
    """What is in the other slot, `other`, runs at the next start, for once; on the image in `place` if there is one."""
    known = stored(device)
    own = _own(device, updates, known)
    if place:
        own = own[:_PARTITION] + [place.runs_from]
    known[SLOTS] = {updates.slot: own, updates.other: other + ([place.label] if place else own[_PARTITION:])}
    known[LAST], known[KINDS] = None, [server.kind for server in device.ports.links]
    store(device, known)
    updates.begin_trial(place and place.label)
    if place:
        from admit_device.images import boot

        boot(place, device, updates, known)
    device.after_answer(device.ports.restart)


# -- what arrives --


def _take(body, device, updates):
    """A piece of an item: how much of that is here then."""
    if len(cbor.expect(body, list, _BODY)) != 4:
        raise Malformed(_BODY)
    item, offset, length = [cbor.expect(number, int, _BODY) for number in body[:3]]
    data = cbor.expect(body[3], bytes, _BODY)
    if not 0 <= item <= release.IMAGE or offset < 0 or length < 1:
        raise Malformed(_BODY)
    manifest = _staged(updates)
    if item == release.IMAGE and manifest.image and device.staging:
        from admit_device.images import take

        return take(manifest, device, updates, offset, length, data)
    row = _wanted(item, device, updates)
    if row is None:
        return length
    most = release.MAX_LIST if item == release.LIST else row[1]
    if length > most + most // 8 + 64 or offset + len(data) > length:
        raise TooLarge("release-too-long")
    have = updates.have(item)
    if have > length:  # of another sender, who packed it otherwise
        updates.drop(item)
        have = 0
    if data and offset == have:
        updates.take(item, data)
        have += len(data)
    if have == length:
        _finish(item, row, manifest, device, updates)
    return have


def _staged(updates):
    data = updates.staged()
    if data is None:
        raise Conflict("release-not-staged")
    return release.parse(data)


def _wanted(item, device, updates):
    """The row of a file that is missing, or () of a list that is; None: it is there already."""
    if item == release.LIST:
        return None if updates.is_listed() else ()
    if not updates.is_listed() or device.staging is None:
        raise Conflict("release-not-staged")
    if item not in device.staging[1]:
        return None
    return _row(updates, item)


def _row(updates, item):
    for row in updates.rows():
        item -= 1
        if item == 0:
            return row


def _finish(item, row, manifest, device, updates):
    if item == release.LIST:
        updates.make_list(installed(device), (manifest.list_hash, manifest.set_hash, manifest.total))
        return
    updates.finish(item, row)
    looked, missing, image = device.staging
    device.staging = (looked, bytes([each for each in missing if each != item]), image)


def _look(device, updates):
    """Look at some more of the files of the list: what is here already need not come."""
    manifest = _staged(updates)
    if not updates.is_listed():
        return _state(device, updates)
    if device.staging is None:
        _forget_other(device, updates)
        updates.keep_only_listed()
        device.staging = (0, b"", _look_at_image(manifest, updates))
    looked, missing, image = device.staging
    number = 0
    for row in updates.rows():
        number += 1
        if number <= looked:
            continue
        if number > looked + _AT_ONCE:
            number -= 1
            break
        if not updates.settle(row):
            missing += bytes((number,))
    device.staging = (number, missing, image)
    return _state(device, updates)


def _look_at_image(manifest, updates):
    """How many bytes of the image are here; None if none is to come."""
    if manifest.image is None:
        return None
    from admit_device.images import look

    return look(manifest, updates)


def _forget_other(device, updates):
    """From now on there is nothing to go back to."""
    known = stored(device)
    if updates.other in known[SLOTS]:
        known[SLOTS].pop(updates.other)
        store(device, known)


def _state(device, updates):
    """What is still to be done. `device.staging`: (files that were looked at, items of those that are missing, bytes
    of the image that are here or None if it is not missing).
    """
    if not updates.is_listed():
        return {_TO_LOOK_AT: 0, _MISSING: [[release.LIST, updates.have(release.LIST)]], _DONE: False}
    looked, missing, image = device.staging or (0, b"", None)
    left = -looked
    for _ in updates.rows():
        left += 1
    missing = [[item, updates.have(item)] for item in missing]
    if image is not None:
        missing.append([release.IMAGE, image])
    return {_TO_LOOK_AT: left, _MISSING: missing, _DONE: False}


def _own(device, updates, known):
    """What is known of the set that runs."""
    own = known[SLOTS].get(updates.slot)
    return own if own and own[0] == installed(device) else [installed(device), 0, 0, device.version]


def _running(device, updates, known):
    """The sequence number of what runs; 0 if it came over the cable."""
    return _own(device, updates, known)[SEQUENCE]


def _tell(body):
    return response(CHANGED, cbor.encode(body), CONTENT_CBOR)
