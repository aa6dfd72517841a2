"""CoAP's message layer towards one peer over datagrams (UDP, or a serial line by `slip`): RFC 7252 section 4.

Owns message types and ids, acknowledgements, retransmission, and the memory of what was seen, so that no request is
handed on twice. It is fed with bytes and time and never waits: whoever calls `receive` or `send` then calls
`outgoing` until it gives None, and again at `deadline`. Nothing that a peer sends makes it raise.
It must not know sockets, resources, or what a message means beyond request, response and Observe.
"""

from .coap import EMPTY, OBSERVE, Message, check_code, decode_body, decode_uint, encode_body, queue_up
from .const import const
from .errors import LocalError, Malformed

CON = const(0)
NON = const(1)
ACK = const(2)
RST = const(3)

_ACK_TIMEOUT_MS = const(2000)  # RFC 7252 section 4.8
_ACK_JITTER_MS = const(1000)  # ACK_RANDOM_FACTOR 1.5
_MAX_RETRANSMIT = const(4)
_EXCHANGE_LIFETIME_MS = const(247000)
_ACK_DELAY_MS = const(1000)  # how long a response may take and still ride on the acknowledgement
_MAX_DATAGRAM = const(1152)  # RFC 7252 section 4.6

_MAX_EXCHANGES = const(32)  # remembered ids of the peer
_MAX_ANSWERS = const(4)  # of them with the whole answer, for a peer that asks again
_MAX_AWAITED = const(16)  # requests and observations of ours without an end
_MAX_READY = const(16)
_MAX_FAILED = const(16)

# What a request of the peer still lacks, and the type that its response then takes (RFC 7252 section 5.2).
_WAITING = const("waiting")  # a CON that got nothing yet
_ACKED = const("acked")  # a CON that got an empty acknowledgement
_QUIET = const("quiet")  # a NON
_DONE = const("done")  # nothing
_RESPONSE_TYPE = {_WAITING: ACK, _ACKED: CON, _QUIET: NON}


def encode_datagram(kind, mid, message=None):
    """Datagram of type `kind` (CON, NON, ACK, RST) and message id 0..65535; without a message the Empty one."""
    if message is None:
        message = Message(EMPTY)
    head = bytes((0x40 | kind << 4 | len(message.token), message.code)) + mid.to_bytes(2, "big")
    return head + message.token + encode_body(message.options, message.payload)


def decode_datagram(data):
    """(type, message id, Message) of one datagram; `confirmable` of the Message tells CON from the others.

    Malformed: coap-truncated, coap-version, coap-token-length, coap-empty (an Empty message with something behind its
    head), and those of `coap.check_code` and `coap.decode_body`. RFC 7252 section 3.
    """
    if len(data) < 4:
        raise Malformed("coap-truncated")
    if data[0] >> 6 != 1:
        raise Malformed("coap-version")
    kind, code, start = data[0] >> 4 & 3, data[1], 4 + (data[0] & 15)
    if start > 12:
        raise Malformed("coap-token-length")
    if start > len(data):
        raise Malformed("coap-truncated")
    check_code(code)
    if code == EMPTY and len(data) > 4:
        raise Malformed("coap-empty")
    message = Message(code, bytes(data[4:start]))
    message.options, message.payload = decode_body(data[start:])
    message.confirmable = kind == CON
    return kind, decode_uint(data[2:4]), message


class _Exchange:
    """A message id of the peer: its state, and the datagram that answers a repetition (None: silence)."""

    def __init__(self, state, mid, token, now_ms, answer=None):
        self.state = state
        self.mid = mid
        self.token = token
        self.answer = answer
        self.ack_due_ms = now_ms + _ACK_DELAY_MS
        self.expires_ms = now_ms + _EXCHANGE_LIFETIME_MS


class _Flight:
    """Our one Confirmable message that waits for its acknowledgement (NSTART = 1)."""

    def __init__(self, message, datagram, timeout_ms, now_ms):
        self.message = message
        self.datagram = datagram
        self.mid = decode_uint(datagram[2:4])
        self.timeout_ms = timeout_ms
        self.due_ms = now_ms + timeout_ms
        self.repeats = 0


class UdpLayer:
    """One peer's message layer, client and server at once. `random(length) -> bytes` seeds ids and jitter.

    `garbage` counts datagrams that were malformed or made no sense.
    """

    max_payload = _MAX_DATAGRAM

    def __init__(self, random):
        self.garbage = 0
        self._random = random
        self._mid = decode_uint(random(2))
        self._ready = []  # datagrams that may go at once
        self._queue = []  # (message, datagram) that wait for the flight to land
        self._flight = None
        self._exchanges = []  # oldest first
        self._awaited = []  # (token, whether it observes) of our requests
        self._nons = []  # (id, token) of our latest NON messages, which a RST may name
        self._failed = []

    def receive(self, data, now_ms):
        """Take one datagram; returns the requests and responses in it that are new: none or one."""
        try:
            kind, mid, message = decode_datagram(data)
        except Malformed:
            self.garbage += 1
            if len(data) >= 4 and data[0] >> 4 == 4 | CON:
                self._react(encode_datagram(RST, decode_uint(data[2:4])))
            return []
        group = "empty" if message.code == EMPTY else "request" if message.is_request else "response"
        reaction = self._REACTIONS.get((kind, group))
        if reaction is None:
            self.garbage += 1
            return []
        return reaction(self, kind, mid, message, now_ms)

    def send(self, message, now_ms):
        """Queue a request, or a response, which goes to the peer's request with its token if one still waits.

        When more than coap.MAX_QUEUE messages wait, the oldest has failed.
        Raises LocalError("coap-too-long") if the datagram would exceed `max_payload`.
        """
        exchange = None if message.is_request else self._open_exchange(message.token)
        kind = _RESPONSE_TYPE[exchange.state] if exchange else CON
        if kind == CON and not message.confirmable:
            kind = NON
        mid = exchange.mid if kind == ACK else self._next_mid()
        datagram = encode_datagram(kind, mid, message)
        if len(datagram) > _MAX_DATAGRAM:
            raise LocalError("coap-too-long", "%d bytes" % len(datagram))
        if message.is_request:
            self._await(message)
        if kind == ACK:
            self._keep_answer(exchange, datagram)
        if kind == NON:
            self._nons = self._nons[1 - _MAX_AWAITED :] + [(mid, message.token)]
        if exchange:
            exchange.state = _DONE
        if kind == CON:
            self._fail(queue_up(self._queue, message, datagram))
        else:
            self._ready.append(datagram)

    def outgoing(self, now_ms):
        """The next datagram to put on the wire, or None."""
        for exchange in self._exchanges:
            if exchange.state == _WAITING and now_ms >= exchange.ack_due_ms:
                exchange.state = _ACKED
                exchange.answer = encode_datagram(ACK, exchange.mid)
                self._ready.append(exchange.answer)
        if self._flight and now_ms >= self._flight.due_ms:
            self._retransmit(self._flight, now_ms)
        if self._queue and not self._flight:
            message, datagram = self._queue.pop(0)
            jitter_ms = decode_uint(self._random(2)) * _ACK_JITTER_MS // 0xFFFF
            self._flight = _Flight(message, datagram, _ACK_TIMEOUT_MS + jitter_ms, now_ms)
            self._ready.append(datagram)
        return self._ready.pop(0) if self._ready else None

    def deadline(self):
        """When `outgoing` has something to do even if nothing arrives, in ms; None for never."""
        if self._ready or self._queue and not self._flight:
            return 0
        dues = [exchange.ack_due_ms for exchange in self._exchanges if exchange.state == _WAITING]
        if self._flight:
            dues.append(self._flight.due_ms)
        return min(dues) if dues else None

    def failed(self):
        """Tokens of messages that were given up on (no acknowledgement, or a RST) since the last call."""
        tokens, self._failed = self._failed, []
        return tokens

    def confirmed(self, now_ms):
        """Datagrams are not confirmed by what carries them: nothing to do."""

    def forget(self, token):
        """Await no more responses to our request `token`; a further notification is then answered by a RST."""
        self._awaited = [item for item in self._awaited if item[0] != token]
        self._queue = [item for item in self._queue if not (item[0].is_request and item[0].token == token)]
        if self._flies(token):
            self._flight = None

    # The peer's messages, one method for each kind that means something.

    def _on_ping(self, kind, mid, message, now_ms):
        self._react(encode_datagram(RST, mid))
        return []

    def _on_request(self, kind, mid, message, now_ms):
        known = self._known(mid, message.token, now_ms)
        if known:
            self._react(known.answer)
            return []
        self._remember(_Exchange(_WAITING if kind == CON else _QUIET, mid, message.token, now_ms))
        return [message]

    def _on_response(self, kind, mid, message, now_ms):
        known = self._known(mid, message.token, now_ms)
        if known:
            self._react(known.answer)
            return []
        if not self._accept(message):
            self._react(encode_datagram(RST, mid))  # also ends an observation: RFC 7641 section 3.6
            return []
        exchange = _Exchange(_DONE, mid, message.token, now_ms, encode_datagram(ACK, mid) if kind == CON else None)
        self._remember(exchange)
        self._react(exchange.answer)
        if self._flies(message.token):
            self._flight = None  # the acknowledgement of our request was lost or overtaken: RFC 7252 section 5.2.2
        return [message]

    def _on_ack(self, kind, mid, message, now_ms):
        if self._flight is None or self._flight.mid != mid:
            return []
        if message.code != EMPTY and not self._flies(message.token):
            self.garbage += 1  # RFC 7252 section 5.3.2: id and token must both match
            return []
        self._flight = None
        return [message] if message.code != EMPTY and self._accept(message) else []

    def _on_reset(self, kind, mid, message, now_ms):
        if self._flight and self._flight.mid == mid:
            self._fail(self._flight.message.token)
            self._flight = None
        for item in self._nons[:]:
            if item[0] == mid:
                self._nons.remove(item)
                self._fail(item[1])
        return []

    # What is not in this table is ignored: RFC 7252 sections 4.2 and 4.3.
    _REACTIONS = {
        (CON, "empty"): _on_ping,
        (CON, "request"): _on_request,
        (CON, "response"): _on_response,
        (NON, "request"): _on_request,
        (NON, "response"): _on_response,
        (ACK, "empty"): _on_ack,
        (ACK, "response"): _on_ack,
        (RST, "empty"): _on_reset,
    }

    def _react(self, datagram):
        """Queue an answer to something that the peer sent; a peer that floods us loses some of its answers."""
        if datagram and len(self._ready) < _MAX_READY:
            self._ready.append(datagram)

    def _known(self, mid, token, now_ms):
        """The exchange that a repetition belongs to, or None.

        The token counts too: an id with another token cannot be a repetition, but a peer that started anew.
        """
        for exchange in self._exchanges:
            if exchange.mid == mid and exchange.token == token and now_ms < exchange.expires_ms:
                return exchange
        return None

    def _remember(self, exchange):
        self._exchanges = self._exchanges[1 - _MAX_EXCHANGES :] + [exchange]

    def _open_exchange(self, token):
        """The oldest request of the peer with this token that has no response yet, or None."""
        for exchange in self._exchanges:
            if exchange.token == token and exchange.state != _DONE:
                return exchange
        return None

    def _keep_answer(self, exchange, datagram):
        """Keep a piggybacked response for repetitions of its request, and forget the oldest such answers."""
        exchange.answer = datagram
        long = [kept for kept in self._exchanges if kept.answer and len(kept.answer) > 4]
        for kept in long[:-_MAX_ANSWERS]:
            kept.answer = None

    def _await(self, request):
        self.forget(request.token)
        self._awaited = self._awaited[1 - _MAX_AWAITED :] + [(request.token, request.uint(OBSERVE) == 0)]

    def _accept(self, response):
        """Whether we asked for this response; it is the last one unless both sides observe. RFC 7641 section 3.2."""
        for item in self._awaited:
            if item[0] == response.token:
                if not item[1] or response.option(OBSERVE) is None:
                    self._awaited.remove(item)
                return True
        return False

    def _flies(self, token):
        """Whether the message in flight is our request `token`."""
        return bool(self._flight and self._flight.message.is_request and self._flight.message.token == token)

    def _next_mid(self):
        self._mid = self._mid + 1 & 0xFFFF
        return self._mid

    def _retransmit(self, flight, now_ms):
        """Once more after twice the time, or give up: RFC 7252 section 4.2."""
        if flight.repeats == _MAX_RETRANSMIT:
            self._flight = None
            self._fail(flight.message.token)
            return
        flight.repeats += 1
        flight.timeout_ms *= 2
        flight.due_ms = now_ms + flight.timeout_ms
        self._ready.append(flight.datagram)

    def _fail(self, token):
        if token is None:
            return
        self._failed = self._failed[1 - _MAX_FAILED :] + [token]
        self._awaited = [item for item in self._awaited if item[0] != token]
