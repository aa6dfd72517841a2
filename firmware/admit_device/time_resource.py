"""/time: what time the device believes it is, and the authority's answer to the question what time it is.

Whoever visits may carry the question and the answer: the authority's signature decides. The question is a nonce that is
good for one answer, in the same session, for ten seconds; so an answer that was held back sets no clock. Loaded for
that alone.
"""

from admit_protocol import cbor, time_answer
from admit_protocol import journal as records
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, GET, response
from admit_protocol.const import const
from admit_protocol.errors import Replayed

_WAIT_MS = const(10 * 1000)

# The body of GET: see docs/SPEC.md, "Resources".
_EARLIEST = const(1)
_LATEST = const(2)
_SOURCE = const(3)
_NONCE = const(4)


def answer(request, device):
    """GET: what is believed, and a question. POST: its answer, signed. Raises AdmitError."""
    return (_ask if request.method == GET else _take)(request, device)


def _ask(request, device):
    clock, nonce = device.clock, device.suite.random(time_answer.NONCE_LENGTH)
    request.session.nonce = nonce, clock.monotonic_ms()
    earliest, latest = clock.moment()
    body = {_EARLIEST: earliest, _LATEST: latest, _SOURCE: clock.source, _NONCE: nonce}
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


def _take(request, device):
    """The journal says so first, with the time that was believed until then; a clock that cannot be is not set."""
    session, clock, identity = request.session, device.clock, device.identity
    asked, session.nonce = session.nonce, None
    told = time_answer.parse(request.payload)
    if asked is None or clock.monotonic_ms() - asked[1] >= _WAIT_MS:
        raise Replayed("time-late", "no question is open: ask again, and answer within 10 s")
    time_answer.verify(told, identity.anchor, identity.device_id, asked[0], device.suite)
    note = lambda: device.journal.record(records.TIME_SET, session.subject.key, "", records.DONE)  # noqa: E731
    clock.answer(told.now, asked[1], note)
    return response(CHANGED)
