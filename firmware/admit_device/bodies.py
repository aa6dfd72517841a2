"""Bodies too long for one message: whole requests out of their blocks, and responses cut into blocks.

How blocks work is admit_protocol.block's, which is loaded with the first body that needs it: most visits are short.
Strangers have places of their own, or they could keep a revocation from arriving.
"""

from admit_device.ondemand import OnDemand
from admit_protocol.coap import BLOCK1, BLOCK2
from admit_protocol.const import const

_MAX_BODY = const(4096)


class Bodies:
    """The uploads under way and the long responses being fetched, of sessions and of links without one."""

    def __init__(self, clock):
        self._clock = clock
        self._code = OnDemand(_load)
        self._blocks = None

    def whole(self, call):
        """The whole request of which `call.message` is a part, or else the response to it: see `Message.is_request`."""
        message = call.message
        if self._blocks is None and _is_plain(message):
            return message
        assembler, slicer = self._of(call)
        whole = assembler.accept(message, call.key, self._clock.monotonic_ms())
        return slicer.next(call.key, whole) or whole if whole.is_request else whole

    def cut(self, call, whole, result):
        """The block of the response `result` that the request asks for, or all of it."""
        most = call.block_size()
        if self._blocks is None and _is_plain(whole) and len(result.payload) <= most:
            return result
        return self._of(call)[1].slice(call.key, whole, result, most)

    def forget(self, gone):
        """A link or a session is gone, and what was kept for it."""
        for assembler, slicer in self._blocks or ():
            assembler.forget(gone)
            slicer.forget(gone)

    def rest(self, is_alone):
        """Nothing is going on: let go of what long bodies need, if there are none or nobody is there."""
        if is_alone or not any([each.is_busy() for places in self._blocks or () for each in places]):
            self._blocks = None
            self._code.forget()

    def _of(self, call):
        """The Assembler and the Slicer that serve this call."""
        if self._blocks is None:
            block = self._code()
            self._blocks = (
                (
                    block.Assembler(_MAX_BODY, 3),
                    block.Slicer(1024, 5),
                ),  # of links: a grant comes in, message_2 goes out
                (block.Assembler(_MAX_BODY, 3), block.Slicer(_MAX_BODY, 3)),  # of sessions
            )
        return self._blocks[call.session is not None]


def _is_plain(message):
    return message.option(BLOCK1) is None and message.option(BLOCK2) is None


def _load():
    from admit_protocol import block

    return block
