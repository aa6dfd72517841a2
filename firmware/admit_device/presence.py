"""/presence: who is here shows it by the code that the kiosk tells them, or by its button.

A code is for the session that asked for it, and works once, while the kiosk shows it: one at a time, with the name of
who asked. What comes of it are moments in the session until which it counts. Wrong codes are attempts.py's. Loaded for
that alone.
"""

from admit_protocol import cbor
from admit_protocol import journal as records
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, GET, response
from admit_protocol.const import const
from admit_protocol.errors import Denied, Malformed

_DIGITS = const(6)
_SHOWN_S = const(60)
_COUNTS_MS = const(120 * 1000)
_PRESSED_MS = const(10 * 1000)

# Bodies: see docs/SPEC.md, "Resources".
_CODE = const(1)
_BUTTON = const(2)

_WAYS = ("code", "button")  # in the order of their moments in `session.present`


def answer(request, device):
    """GET: a code is shown. POST: it was read, or the button pressed. Raises AdmitError."""
    session = request.session
    if request.method == GET:
        code = "%06d" % (int.from_bytes(device.suite.random(4), "big") % 10**_DIGITS)
        device.access.asked = session, code
        device.ports.outputs.set("asker", session.name)
        device.kiosk.show("code", code, _SHOWN_S)
        return response(CONTENT, cbor.encode({_CODE: _DIGITS}), CONTENT_CBOR)
    way = _prove(cbor.expect(cbor.decode(request.payload), dict, "presence-body"), session, device)
    device.journal.record(records.PRESENCE, session.subject.key, _WAYS[way], records.DONE)
    until = list(session.present)
    until[way] = device.clock.monotonic_ms() + _COUNTS_MS
    session.present = tuple(until)
    return response(CHANGED)


def _prove(body, session, device):
    """In which of _WAYS the `body` proves that somebody is here."""
    if list(body) == [_CODE]:
        _check_code(cbor.expect(body[_CODE], str, "presence-body"), session, device)
        return 0
    if list(body) != [_BUTTON] or body[_BUTTON] is not True:
        raise Malformed("presence-body")
    pressed_ms = device.kiosk.get("button")  # so long ago
    if pressed_ms is None or pressed_ms > _PRESSED_MS:
        raise Denied("presence-button")
    return 1


def _check_code(given, session, device):
    from admit_device.attempts import check

    asker, code = device.access.asked
    if asker is not session or device.kiosk.get("code") != code:
        raise Denied("presence-none")
    try:
        check(device.access, records.person(session.root), given, code)
    except Denied:
        device.journal.record(records.PRESENCE, session.subject.key, _WAYS[0], records.DENIED)
        raise
    device.kiosk.set("code", "")
