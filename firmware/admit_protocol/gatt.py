"""CoAP's message layer over one pair of GATT characteristics: draft-ietf-core-coap-over-gatt-00 section 3.2.

Owns the first byte of every value (ids, acknowledgements), one message under way at a time, and duplicates. It follows
the draft's minimal use (section 3.2.2): always reliable. Fed with bytes and time like `coap_udp`: after `receive`,
`send` or `confirmed` call `outgoing` until it gives None, and again at `deadline`. Nothing that a peer sends makes it
raise. It must not know Bluetooth beyond the MTU, nor what a message means. A new link needs a new layer.
"""

from .coap import EMPTY, MAX_TOKEN, Message, check_code, decode_body, encode_body, queue_up
from .const import const
from .errors import LocalError, Malformed, Unsupported
from .gatt_uuids import MIN_MTU

_MAX_VALUE = const(512)  # Bluetooth Core, part F section 3.2.9
_TIMEOUT_MS = const(5000)

_RESERVED = const(0x80)
MESSAGE_ID = const(0x40)
CONFIRM = const(0x20)
_ACKNOWLEDGE_ID = const(0x10)


def decode_value(data):
    """(first byte & 0xF0, Message) of one value; an empty message has code EMPTY.

    Malformed: gatt-truncated, gatt-reserved-bit, gatt-token-length, gatt-empty (an empty message with a token length,
    or with a code), and those of `coap.check_code` and `coap.decode_body`.
    """
    if not data:
        raise Malformed("gatt-truncated")
    bits, start = data[0] & 0xF0, 2 + (data[0] & 15)
    if bits & _RESERVED:
        raise Malformed("gatt-reserved-bit")
    if start > 2 + MAX_TOKEN:
        raise Malformed("gatt-token-length")
    if len(data) == 1 and start == 2:
        return bits, Message(EMPTY)
    if len(data) == 1 or data[1] == EMPTY:
        raise Malformed("gatt-empty")
    if start > len(data):
        raise Malformed("gatt-truncated")
    check_code(data[1])
    message = Message(data[1], bytes(data[2:start]))
    message.options, message.payload = decode_body(data[start:])
    return bits, message


def encode_value(bits, message):
    """One value: `bits` of MESSAGE_ID, CONFIRM and _ACKNOWLEDGE_ID, then the message."""
    if message.code == EMPTY:
        return bytes((bits,))
    head = bytes((bits | len(message.token), message.code)) + message.token
    return head + encode_body(message.options, message.payload)


class GattLayer:
    """One link's message layer. `server` says that we indicate (and wait for confirmations) rather than write; `mtu` is
    the link's ATT MTU, at least MIN_MTU or Unsupported("gatt-mtu") is raised. `garbage` counts ignored values.
    """

    def __init__(self, server, mtu):
        if mtu < MIN_MTU:
            raise Unsupported("gatt-mtu", "%d, at least %d is needed" % (mtu, MIN_MTU))
        self.max_payload = min(_MAX_VALUE, mtu - 3)
        self.garbage = 0
        self._server = server
        # Of our latest message; the first one takes the other, 0. The peer's acknowledgement bit begins as 0: a value
        # that crosses our very first message passes for its acknowledgement: no harm, as GATT loses nothing.
        self._own_id = 1
        self._peer_id = 0  # of the peer's latest message that had CONFIRM set
        self._seen = None  # the peer's latest value up to its token
        self._ack_owed = False
        self._queue = []  # (message, value without its bits)
        self._under_way = None  # token of our message that has no acknowledgement yet
        self._ack_due_ms = None
        self._confirm_due_ms = None  # not None while an indication has no confirmation
        self._failed = []

    def receive(self, data, now_ms):
        """Take one value; returns the request or response in it if it is new: none or one message."""
        try:
            bits, message = decode_value(data)
        except Malformed:
            self.garbage += 1
            return []
        seen = bytes(data[: 2 + len(message.token)])
        if seen == self._seen:
            return []
        self._seen = seen
        if self._under_way is not None and bool(bits & _ACKNOWLEDGE_ID) == self._own_id:
            self._under_way = self._ack_due_ms = None
        if bits & CONFIRM:
            self._peer_id = int(bool(bits & MESSAGE_ID))
            self._ack_owed = True
        return [] if message.code == EMPTY else [message]

    def send(self, message, now_ms):
        """Queue a request or response. When more than coap.MAX_QUEUE messages wait, the oldest has failed.

        Raises LocalError("gatt-too-long") if the message would not fit `max_payload`.
        """
        value = encode_value(0, message)
        if len(value) > self.max_payload:
            raise LocalError("gatt-too-long", "%d bytes, %d fit" % (len(value), self.max_payload))
        dropped = queue_up(self._queue, message, value)
        if dropped is not None:
            self._failed.append(dropped)

    def outgoing(self, now_ms):
        """The next value to write or indicate, or None. A message that is queued by now carries the acknowledgement."""
        self._give_up(now_ms)
        if self._confirm_due_ms is not None:
            return None
        if self._may_speak():
            message, value = self._queue.pop(0)
            self._own_id ^= 1
            self._under_way = message.token
            self._ack_due_ms = now_ms + _TIMEOUT_MS
            value = bytes((value[0] | self._bits() | CONFIRM,)) + value[1:]
        elif self._ack_owed:
            value = bytes((self._bits(),))
        else:
            return None
        self._ack_owed = False
        if self._server:
            self._confirm_due_ms = now_ms + _TIMEOUT_MS
        return value

    def confirmed(self, now_ms):
        """The client's Bluetooth confirmed our indication: the next value may go."""
        self._confirm_due_ms = None

    def deadline(self):
        """When `outgoing` has something to do even if nothing arrives, in ms; None for never."""
        if self._confirm_due_ms is None and (self._ack_owed or self._may_speak()):
            return 0
        dues = [due for due in (self._ack_due_ms, self._confirm_due_ms) if due is not None]
        return min(dues) if dues else None

    def failed(self):
        """Tokens of messages that were given up on since the last call: the link is as good as lost."""
        tokens, self._failed = self._failed, []
        return tokens

    def forget(self, token):
        """Do not send our request `token` if it still waits."""
        self._queue = [item for item in self._queue if not (item[0].is_request and item[0].token == token)]

    def _may_speak(self):
        return bool(self._queue) and self._under_way is None

    def _bits(self):
        return self._own_id * MESSAGE_ID | self._peer_id * _ACKNOWLEDGE_ID

    def _give_up(self, now_ms):
        if self._ack_due_ms is not None and now_ms >= self._ack_due_ms:
            self._failed.append(self._under_way)
            self._under_way = self._ack_due_ms = None
        if self._confirm_due_ms is not None and now_ms >= self._confirm_due_ms:
            # Nothing more may be indicated on this link, perhaps ever; what is queued later fails 5 s later.
            self._failed.extend([message.token for message, _ in self._queue])
            self._queue = []
            self._confirm_due_ms = now_ms + _TIMEOUT_MS
