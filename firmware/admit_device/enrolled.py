"""Whom an invite has let in, by both their keys: one value in storage for each invite, whole or absent.

With the key to log in by alone, whoever found a used invite could make another grant of it to somebody who is in, with
a key of their own to pass it on by.

An invite is used up when as many stand there as it was made for. A record goes when the invite has ended for
certain, never before, or a used one would be good again. Loaded for that alone.
"""

from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import Busy, Denied, StorageError
from admit_protocol.journal import person

_NAME = const("invite-")
_PERSON = const(8)
_MAX_INVITES = const(64)


def keys_of(grant):
    """Both keys of whom a grant (standing.Grant) is for."""
    return grant.key + (grant.sig_key or b"")


def is_enrolled(storage, invite_id, keys):
    """Has the invite with this id (8 bytes) let in whoever has these keys (`keys_of`)? Nobody, if that is damaged."""
    try:
        return person(keys) in _people(_stored(storage, invite_id)[1])
    except StorageError:
        return False


def enrol(storage, invite, keys, floor, note):
    """Let `keys` in by `invite` (standing.Grant), for good; `note()` is called before that, if it is not so already.

    `floor`: it is at least so late. Raises Denied("invite-used"), Busy("invite-full"), and StorageError: then, as
    after a power cut, they are in or they are not, and nothing else has changed.
    """
    data = _stored(storage, invite.id)[1]
    if person(keys) in _people(data):
        return
    if len(data) >= invite.enrol * _PERSON:
        raise Denied("invite-used", "it was for %d" % invite.enrol)
    if not data:
        _make_room(storage, floor)
    note()
    storage.write(_NAME + invite.id.hex(), cbor.encode([invite.expires, data + person(keys)]))


def _stored(storage, invite_id):
    """[when the invite ends or None, 8 bytes of each whom it let in]."""
    stored = storage.read(_NAME + invite_id.hex())
    return cbor.decode(stored) if stored else [None, b""]


def _people(data):
    return [data[at : at + _PERSON] for at in range(0, len(data), _PERSON)]


def _make_room(storage, floor):
    names = [each for each in storage.names() if each.startswith(_NAME)]
    for name in names if len(names) >= _MAX_INVITES else ():
        expires = cbor.decode(storage.read(name))[0]
        if expires is not None and floor is not None and expires <= floor:
            storage.remove(name)
            return
    if len(names) >= _MAX_INVITES:
        raise Busy("invite-full")
