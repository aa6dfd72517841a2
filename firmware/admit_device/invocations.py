"""Invocations: each runs at most once, across drops of the link and resets of the device.

The client chooses an 8-byte id. Before a routine starts, its id is in storage; after it ended, so is its outcome. Asked
again, the device answers from there. A routine that a reset interrupted stays "interrupted": nobody can know how far it
came, so it is not run again under the same id. At least the last _REMEMBERED invocations are kept.
"""

from admit_device.segments import Segments
from admit_protocol import cbor
from admit_protocol.const import const
from admit_protocol.errors import Busy, LocalError, Malformed

_REMEMBERED = const(64)
_MAX_RESULT = const(256)  # bytes of CBOR
_MAX_RUNNING = const(8)  # at a time: each holds memory until it ends

_STARTED = const(0)
_OWN_LENGTH = const(19)  # bytes of a record that say whose it is and which: an array of four, and two ids of 8 bytes
DONE = const(1)
FAILED = const(2)
INTERRUPTED = const(3)
_ID = const(1)
_ARGUMENTS = const(2)
_OUTCOME = const(1)
_RESULT = const(2)


class Invocations:
    """Which invocation ids were used, and what came of them."""

    def __init__(self, storage):
        self._storage = storage
        self._segments = None
        self._running = []

    def outcome(self, who, identifier):
        """The encoded outcome of this id, or None if it is new. Raises Busy("routine-running") while it runs."""
        if (who, identifier) in self._running:
            raise Busy("routine-running", "it has started and not ended: ask again with the same id")
        found = None
        own = cbor.encode([who, identifier, _STARTED, None])[:_OWN_LENGTH]
        for record in self._kept().all():
            if record.startswith(own):
                _, _, state, result = cbor.decode(record)
                found = encode_outcome(INTERRUPTED if state == _STARTED else state, result)
        return found

    def running(self):
        """Has any started and not ended?"""
        return bool(self._running)

    def start(self, who, identifier):
        """Note that this id is used up. Raises Busy("routine-running"), StorageError; then nothing has started."""
        if len(self._running) >= _MAX_RUNNING:
            raise Busy("routine-running", "too many others have started and not ended: ask again")
        self._kept().append(cbor.encode([who, identifier, _STARTED, None]))
        self._running.append((who, identifier))

    def finish(self, who, identifier, state, result):
        """Note what came of it and return the encoded outcome."""
        self._running.remove((who, identifier))
        state, result = _tellable(state, result)
        self._segments.append(cbor.encode([who, identifier, state, result]))
        return encode_outcome(state, result)

    def _kept(self):
        """What storage remembers. Raises StorageError while that cannot be read: then nothing is run."""
        if self._segments is None:
            # Two records an invocation; a segment is dropped whole, so each must hold _REMEMBERED of them.
            self._segments = Segments(self._storage, "invocations", 2 * _REMEMBERED)
        return self._segments


def parse_invocation(payload):
    """(id, arguments given) of an invocation's body: `{1: bstr .size 8, ? 2: {* tstr => any}}`."""
    body = cbor.expect(cbor.decode(payload), dict, "invocation-body")
    identifier = cbor.expect(body.pop(_ID, None), bytes, "invocation-id")
    arguments = cbor.expect(body.pop(_ARGUMENTS, {}), dict, "invocation-arguments")
    if body or len(identifier) != 8:
        raise Malformed("invocation-body", "an 8-byte id and arguments, nothing else")
    return identifier, arguments


def _tellable(state, result):
    """(state, result), or a failure if the result is too long or has no CBOR form, at its depth in an outcome too."""
    try:
        if len(cbor.encode([result])) <= 1 + _MAX_RESULT:
            return state, result
        return FAILED, "result too long"
    except LocalError as error:
        return FAILED, "result: " + error.reason


def encode_outcome(state, result):
    """`{1: state, ? 2: result}`; state is DONE, FAILED or INTERRUPTED."""
    return cbor.encode({_OUTCOME: state} if result is None else {_OUTCOME: state, _RESULT: result})
