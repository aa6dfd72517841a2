"""What runs on the board, and starting it again: /release and /reset. Loaded for each request.

Who may ask is resources.py's; the board's port reads the flash and resets the chip. Must not know which board it is.
"""

import sys

from admit_device import releases
from admit_protocol import cbor
from admit_protocol.coap import CHANGED, CONTENT, CONTENT_CBOR, response
from admit_protocol.const import const
from admit_protocol.errors import Malformed

# Bodies: see docs/SPEC.md, "Maintenance".
_VERSION = const(1)
_SET_HASH = const(2)
_BOARD = const(3)
_MICROPYTHON = const(4)
_MPY = const(5)
_BOARD_ID = const(6)
_STATE = const(7)

_HOW = const(1)
_REBOOT = const(0)
_REPL = const(1)


def release(device):
    """GET /release: the firmware's version and the hash of its set, as it is on the flash, what it runs on, and how an
    update stands.
    """
    own, ports = sys.implementation, device.ports
    body = {
        _VERSION: device.version,
        _SET_HASH: releases.installed(device),
        _BOARD: ports.name,
        _MICROPYTHON: ".".join([str(number) for number in own.version[:3]]),
        _MPY: getattr(own, "_mpy", 0) & 0xFF,
        _BOARD_ID: ports.board_id,
    }
    state = releases.describe(device)
    if state:
        body[_STATE] = state
    return response(CONTENT, cbor.encode(body), CONTENT_CBOR)


def reset(request, ports, later):
    """POST /reset: answer, and start again a moment later, in the REPL for one time if that is asked for.

    Raises Malformed("reset-body").
    """
    body = cbor.expect(cbor.decode(request.payload), dict, "reset-body")
    how = cbor.expect(body.get(_HOW), int, "reset-body")
    if how not in (_REBOOT, _REPL) or len(body) != 1:
        raise Malformed("reset-body")
    later(lambda: ports.restart(how == _REPL))
    return response(CHANGED)
