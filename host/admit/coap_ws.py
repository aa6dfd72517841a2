"""CoAP's message layer over WebSockets, either end of it: RFC 8323 sections 4 and 5.

Owns the first byte of every message and the signals: CSM, Ping, Pong, Release, Abort. Fed with bytes like the layers of
admit_protocol: after `receive` or `send` call `outgoing` until it gives None. The connection carries messages whole, in
order and once, so nothing is acknowledged or sent again. Must not know sockets, nor what a message means.
Rule: what breaks the format ends the connection. `receive` then raises, and what `outgoing` still gives is the Abort.
"""

import os

from admit_protocol.coap import (
    EMPTY,
    MAX_TOKEN,
    URI_HOST,
    Message,
    check_code,
    code_text,
    decode_body,
    decode_uint,
    encode_body,
    is_critical,
)
from admit_protocol.errors import AdmitError, Malformed, TimedOut, TooLarge, Unsupported

PATH = "/.well-known/coap"
SUBPROTOCOL = "coap"

CSM, PING, PONG, RELEASE, ABORT = 0xE1, 0xE2, 0xE3, 0xE4, 0xE5
MAX_MESSAGE_SIZE = 2  # option of a CSM
BAD_CSM_OPTION = 2  # option of an Abort

# What we take. Block-wise-Transfer is not offered beside it: that would promise blocks of several KiB (BERT, section
# 6), which no kiosk has.
OUR_MAX_MESSAGE = 4352
_BASE_MAX_MESSAGE = 1152  # what a peer takes that does not say: section 5.3.1
_LEAST_MAX_MESSAGE = 128
# What a request to a kiosk has at most, while nobody knows the link behind a gateway: it fits a serial line too.
MAX_PAYLOAD = 200
_MAX_DIAGNOSTIC = 200


def decode_message(data):
    """The Message in the bytes of one WebSocket message; signals and Empty messages too.

    Malformed: coap-truncated, ws-length (Len is not 0), coap-token-length, coap-code (class 1 or 6), and those of
    `coap.decode_body`.
    """
    if len(data) < 2:
        raise Malformed("coap-truncated")
    if data[0] >> 4:
        raise Malformed("ws-length", "the first four bits must be 0")
    if data[0] > MAX_TOKEN:
        raise Malformed("coap-token-length")
    start = 2 + data[0]
    if start > len(data):
        raise Malformed("coap-truncated")
    if data[1] >> 5 != 7:
        check_code(data[1])
    message = Message(data[1], bytes(data[2:start]))
    message.options, message.payload = decode_body(data[start:])
    return message


def encode_message(message):
    """The bytes of one WebSocket message."""
    return bytes((len(message.token), message.code)) + message.token + encode_body(message.options, message.payload)


class WebSocketLayer:
    """One connection's message layer; its first message, the CSM, is ready at once.

    `host` becomes the Uri-Host of each request that has none: the kiosk behind a gateway. `max_payload`: bytes that a
    request may have; whoever learns what the kiosk's own link takes may set it. `greeted`: the peer's
    CSM was here. `released`: the peer wants no more requests (section 5.5).
    """

    def __init__(self, host: str | None = None):
        self.max_payload = MAX_PAYLOAD
        self.released = False
        self._host = host
        self._peer_max = _BASE_MAX_MESSAGE
        self.greeted = False
        self._ready = [_signal(CSM, [(MAX_MESSAGE_SIZE, OUR_MAX_MESSAGE)])]

    def receive(self, data: bytes | str, now_ms: int = 0) -> list[Message]:
        """Take one WebSocket message; returns the request or response in it: none or one.

        Raises TimedOut("ws-aborted") if the peer ends the connection; Malformed, Unsupported("ws-option") or
        TooLarge("ws-too-large") if we have to.
        """
        try:
            return self._receive(data)
        except (Malformed, Unsupported, TooLarge) as error:
            self.abort(error)
            raise

    def send(self, message: Message, now_ms: int = 0) -> None:
        """Queue a request or response. Raises TooLarge("ws-too-large") if the peer does not take so much."""
        if message.is_request and self._host is not None and message.option(URI_HOST) is None:
            message = message.with_option(URI_HOST, self._host)
        data = encode_message(message)
        if len(data) > self._peer_max:
            raise TooLarge("ws-too-large", f"{len(data)} bytes, the other side takes {self._peer_max}")
        self._ready.append(data)

    def ping(self) -> None:
        """Queue a Ping: whoever is there answers it with a Pong."""
        self._ready.append(encode_message(Message(PING, os.urandom(2))))

    def release(self, words: str = "") -> None:
        """Queue a Release: we are about to leave in good order."""
        self._ready.append(_signal(RELEASE, words=words))

    def abort(self, error: AdmitError) -> None:
        """Queue an Abort that says why, in place of whatever waits."""
        options = [(BAD_CSM_OPTION, error.option)] if isinstance(error, BadCsmOption) else []
        self._ready = [_signal(ABORT, options, str(error))]

    def outgoing(self, now_ms: int = 0) -> bytes | None:
        """The next message to put on the wire, or None."""
        return self._ready.pop(0) if self._ready else None

    def deadline(self) -> int | None:
        """When `outgoing` has something to do even if nothing arrives: 0 for now, None for never."""
        return 0 if self._ready else None

    def failed(self) -> list[bytes]:
        """No message fails by itself: the connection does."""
        return []

    def confirmed(self, now_ms: int = 0) -> None:
        """Messages are not confirmed by what carries them: nothing to do."""

    def forget(self, token: bytes) -> None:
        """Nothing to do: a response that nobody awaits is ignored."""

    def _receive(self, data: bytes | str) -> list[Message]:
        if isinstance(data, str):
            raise Malformed("ws-text", "CoAP goes in binary messages")
        if len(data) > OUR_MAX_MESSAGE:
            raise TooLarge("ws-too-large", f"{len(data)} bytes, at most {OUR_MAX_MESSAGE} are taken")
        message = decode_message(data)
        if message.code == EMPTY:
            return []
        if not self.greeted and message.code != CSM:
            raise Malformed("ws-no-csm", f"the first message was {code_text(message.code)}, no CSM")
        if message.code >> 5 == 7:
            self._on_signal(message)
            return []
        return [message]

    def _on_signal(self, message: Message) -> None:
        for number, _ in message.options:
            if is_critical(number):
                words = f"option {number} of {code_text(message.code)} is unknown"
                raise (
                    BadCsmOption("ws-option", words, number) if message.code == CSM else Unsupported("ws-option", words)
                )
        if message.code == CSM:
            self._on_csm(message)
        elif message.code == PING:
            self._ready.append(encode_message(Message(PONG, message.token)))
        elif message.code == RELEASE:
            self.released = True
        elif message.code == ABORT:
            raise TimedOut("ws-aborted", _printable(message.payload))
        elif message.code != PONG:
            raise Malformed("ws-signal", f"{code_text(message.code)} is no signal")

    def _on_csm(self, message: Message) -> None:
        self.greeted = True
        value = message.option(MAX_MESSAGE_SIZE)
        if value is None:
            return
        if len(value) > 4 or decode_uint(value) < _LEAST_MAX_MESSAGE:
            raise BadCsmOption("ws-option", "that Max-Message-Size is of no use", MAX_MESSAGE_SIZE)
        self._peer_max = decode_uint(value)


class BadCsmOption(Unsupported):
    """A CSM with an option that we cannot do with; `option` is its number."""

    def __init__(self, reason: str, detail: str, option: int):
        super().__init__(reason, detail)
        self.option = option


def _signal(code: int, options=(), words: str = "") -> bytes:
    return encode_message(Message(code, b"", options, words.encode()[:_MAX_DIAGNOSTIC]))


def _printable(payload: bytes) -> str:
    """A diagnostic payload, fit for a terminal."""
    text = payload[:_MAX_DIAGNOSTIC].decode(errors="replace")
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
