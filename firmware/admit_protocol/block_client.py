"""Block-wise transfer, the client's part: one request and its response, in as many messages as it takes. RFC 7959.

Owns: what to ask next, and the response body so far. Runs inside OSCORE and outside alike: each part is protected by
the caller, or not. Rules: a server is believed no further than `limit` bytes and `_RESTARTS` new beginnings.
Must not know: how a part travels. Tokens are the caller's; each part bears that of the request.
"""

from . import coap, coap_numbers
from .block import encode, parse, size_szx
from .const import const
from .errors import Conflict, LocalError, Malformed, TooLarge

_MAX_RESPONSE = const(1 << 20)
_RESTARTS = const(3)

_last_tag = [0]


class Transfer:
    """Carries `request`, whole, to a server and brings its whole response.

        while (part := transfer.next()) is not None:
            transfer.answer(await exchange(part))
        transfer.response

    `block_size`: bytes of payload in a part, at least 16; the server may ask for less. `limit`: bytes of the response.
    """

    def __init__(self, request, block_size, limit=_MAX_RESPONSE):
        self.response = None
        self._request = request
        self._limit = limit
        self._restarts = _RESTARTS
        self._szx = size_szx(block_size)
        self._fits = len(request.payload) <= block_size
        self._tag = None
        self._sent = 0  # end of the part that waits for its answer
        self._next = self._upload_part(0)
        self._body = bytearray()
        self._etag = None

    def next(self):
        """The message to send now; None when the response is there."""
        return self._next

    def answer(self, response):
        """Take the response to the last part.

        Raises Malformed: "block-option", "block-number", "block-size", "block-missing", "block-continue";
        TooLarge("block-too-large"): the response is; Conflict("block-changed"): it changes faster than it is fetched.
        """
        if self._next is None:
            raise LocalError("block-done")
        if response.code == coap.CONTINUE:
            self._next = self._continue(response)
        elif self._smaller_asked(response) or self._lost(response):
            self._next = self._upload_part(0)
        elif response.option(coap.BLOCK2) is not None:
            self._next = self._collect(response)
        elif self._body and response.code < coap.BAD_REQUEST:
            raise Malformed("block-missing")
        else:
            self._finish(response, response.payload)

    def _upload_part(self, start):
        """The part of the request body that begins at `start`. RFC 7959 section 2.5."""
        part = self._request.copy()
        if self._fits:
            return part
        payload = part.payload
        size = 16 << self._szx
        self._sent = min(start + size, len(payload))
        part.payload = payload[start : self._sent]
        part.set_option(coap.BLOCK1, encode(start // size, self._sent < len(payload), self._szx))
        part.set_option(coap_numbers.REQUEST_TAG, self._request_tag())
        if start == 0:
            part.set_option(coap.SIZE1, len(payload))
        return part

    def _request_tag(self):
        """One for each upload, so that blocks of two of them are never put together. RFC 9175 section 3.4."""
        if self._tag is None:
            _last_tag[0] = (_last_tag[0] + 1) & 0xFFFFFFFF
            self._tag = _last_tag[0]
        return self._tag

    def _continue(self, response):
        value = self._next.option(coap.BLOCK1)
        acknowledged = response.option(coap.BLOCK1)
        if value is None or acknowledged is None or self._sent == len(self._request.payload):
            raise Malformed("block-continue")
        number, _, szx = parse(acknowledged)
        if number != parse(value)[0]:
            raise Malformed("block-number")
        self._szx = min(szx, self._szx)
        return self._upload_part(self._sent)

    def _smaller_asked(self, response):
        """4.13 with a smaller block size: begin again with that. RFC 7959 section 2.9.3."""
        hint = response.option(coap.BLOCK1)
        if response.code != coap_numbers.REQUEST_ENTITY_TOO_LARGE or hint is None or parse(hint)[2] >= self._szx:
            return False
        self._szx = parse(hint)[2]
        self._fits = False
        return True

    def _lost(self, response):
        """4.08 to a part of the upload: the server has lost what came before. RFC 7959 section 2.9.2."""
        if response.code != coap_numbers.REQUEST_ENTITY_INCOMPLETE or self._next.option(coap.BLOCK1) is None:
            return False
        self._restarts -= 1
        self._tag = None
        return self._restarts >= 0

    def _collect(self, response):
        """Take a block of the response; the request for the next one, or None. RFC 7959 section 2.4."""
        number, more, szx = parse(response.option(coap.BLOCK2))
        start = number << (szx + 4)
        etag = response.option(coap.ETAG)
        if self._body and etag != self._etag:
            return self._begin_again()
        if start != len(self._body):
            raise Malformed("block-number")
        if len(response.payload) != 16 << szx if more else len(response.payload) > 16 << szx:
            raise Malformed("block-size")
        if max(start + len(response.payload), response.uint(coap.SIZE2) or 0) > self._limit:
            raise TooLarge("block-too-large")
        self._etag = etag
        self._body.extend(response.payload)
        return self._request_block(number + 1, szx) if more else self._finish(response, bytes(self._body))

    def _request_block(self, number, szx):
        part = self._request.copy()
        part.payload = b""
        part.set_option(coap.OBSERVE, None)
        part.set_option(coap.BLOCK2, encode(number, False, szx))
        if self._tag is not None:
            part.set_option(coap_numbers.REQUEST_TAG, self._tag)
        return part

    def _begin_again(self):
        """The representation changed while it was fetched. Only a GET may be run again."""
        self._restarts -= 1
        if self._restarts < 0 or self._request.code != coap.GET:
            raise Conflict("block-changed", "the response changes faster than it is fetched")
        self._body = bytearray()
        return self._upload_part(0)

    def _finish(self, response, body):
        self.response = response.copy()
        self.response.payload = body
        for number in (coap.BLOCK1, coap.BLOCK2, coap.SIZE2):
            self.response.set_option(number, None)
        self._next = None
