"""Block-wise transfer, the server's part: bodies larger than one message. RFC 7959; Request-Tag of RFC 9175.

Owns: the Block1 and Block2 options, the request bodies that are arriving, and the large responses that are being
fetched. The same code serves blocks inside OSCORE and outside. The client's part is `block_client`.
Rules: blocks come in order; one upload and one kept response for each peer, a fixed number of peers, each body bounded;
so memory never exceeds `places * limit` for each object here. A body in the making is dropped at the first mistake.
Must not know: what a peer is (any hashable key), what bodies mean, the clock (time is handed in).
"""

from . import coap
from .const import const
from .errors import Busy, Incomplete, LocalError, Malformed, RemoteError, TooLarge
from .kdf import sha256

MAX_BODY = const(4096)
_PLACES = const(4)
_LIFETIME_MS = const(120_000)  # an upload that has been silent for so long is dropped
_PATIENCE_MS = const(5_000)  # and after so long already, if its place is needed

_MAX_SZX = const(6)
_ETAG_LENGTH = const(4)


def parse(value):
    """(block number, more blocks follow, size exponent 0..6) of a Block option. RFC 7959 section 2.2.

    Raises Malformed("block-option").
    """
    number = coap.decode_uint(value)
    if len(value) > 3 or number & 7 > _MAX_SZX:
        raise Malformed("block-option")
    return number >> 4, bool(number & 8), number & 7


def encode(number, more, szx):
    """Value of a Block option; 0 <= number < 2^20, 0 <= szx <= 6. Raises LocalError("block-option")."""
    if not (0 <= number < 1 << 20 and 0 <= szx <= _MAX_SZX):
        raise LocalError("block-option")
    return coap.encode_uint(number << 4 | (8 if more else 0) | szx)


def size_szx(size):
    """Exponent of the largest block that fits `size` bytes: 16 << szx. Raises LocalError("block-size") below 16."""
    for szx in range(_MAX_SZX, -1, -1):
        if 16 << szx <= size:
            return szx
    raise LocalError("block-size")


class Assembler:
    """Puts request bodies together from Block1 parts.

    `limit`: bytes of one body; `places`: uploads at a time, one a peer; `max_size`: block size to ask for.
    """

    def __init__(self, limit, places=_PLACES, max_size=1024):
        self._limit = limit
        self._places = places
        self._szx = size_szx(max_size)
        self._uploads = {}

    def accept(self, request, key, now_ms):
        """The whole request if it is complete, else the response to send: see `Message.is_request`.

        2.31 asks for the next block; 4.08 "block-order": begin again; 4.13 "block-too-large", with Size1; 4.00
        "block-option", "block-size"; 5.03 "block-busy". A request without Block1 is whole already; a whole one
        carries the Block1 option of its last part, for `slice_response` to acknowledge.
        """
        self._expire(now_ms)
        try:
            return self._accept(request, key, now_ms)
        except RemoteError as error:
            self.forget(key)
            refusal = _refusal(error, request)
            if isinstance(error, TooLarge):
                refusal.set_option(coap.SIZE1, self._limit)
            return refusal

    def is_busy(self):
        """Is anybody in the middle of an upload?"""
        return bool(self._uploads)

    def forget(self, key):
        """The peer is gone, and its upload with it."""
        self._uploads.pop(key, None)

    def _accept(self, request, key, now_ms):
        value = request.option(coap.BLOCK1)
        length = len(request.payload)
        if value is None:
            self._check_total(length)
            return request
        number, more, szx = parse(value)
        size = 16 << szx
        if length > size or (more and length < size):
            raise Malformed("block-size")
        self._check_total(max(number * size + length, request.uint(coap.SIZE1) or 0))
        if number == 0:
            self.forget(key)
            if not more:
                return request
            self._make_room(now_ms)
            self._uploads[key] = _Upload(request)
        upload = self._uploads.get(key)
        if upload is None or upload.kind != _kind(request) or number * size != len(upload.body):
            raise Incomplete("block-order")
        upload.body.extend(request.payload)
        upload.heard_ms = now_ms
        if more:
            option = (coap.BLOCK1, encode(number, True, min(szx, self._szx)))
            return coap.Message(coap.CONTINUE, request.token, (option,))
        self.forget(key)
        whole = request.copy()
        whole.payload = bytes(upload.body)
        return whole

    def _check_total(self, length):
        if length > self._limit:
            raise TooLarge("block-too-large")

    def _expire(self, now_ms):
        for key in list(self._uploads):
            if now_ms - self._uploads[key].heard_ms >= _LIFETIME_MS:
                self.forget(key)

    def _make_room(self, now_ms):
        """Let the upload that has been silent longest give way, if it was silent for long enough."""
        if len(self._uploads) < self._places:
            return
        key = min(self._uploads, key=lambda key: self._uploads[key].heard_ms)
        if now_ms - self._uploads[key].heard_ms < _PATIENCE_MS:
            raise Busy("block-busy")
        self.forget(key)


class _Upload:
    def __init__(self, request):
        self.kind = _kind(request)
        self.body = bytearray()
        self.heard_ms = 0


class Slicer:
    """Cuts large responses into Block2 parts, all of one representation.

    Keeps the last large response to each of `places` peers, if it has at most `limit` bytes, so that fetching its rest
    does not run the request again. A GET of what is not kept is run again, its ETag telling the client of a change.
    """

    def __init__(self, limit=MAX_BODY, places=_PLACES):
        self._limit = limit
        self._places = places
        self._kept = {}
        self._turn = 0

    def slice(self, key, request, response, max_size):
        """The block of `response` that `request` asks for, or all of it; at most `max_size` bytes of payload."""
        try:
            part = slice_response(request, response, max_size)
        except RemoteError as error:
            return _refusal(error, request)
        if _more_follow(part) and len(response.payload) <= self._limit:
            self._keep(key, request, response.with_option(coap.ETAG, part.option(coap.ETAG)), max_size)
        return part

    def next(self, key, request):
        """The response to a request for a later block, or None if the request has to be served first.

        4.08 "block-forgotten": no such response is kept, and to run the request again is not safe; 4.00
        "block-option", "block-range".
        """
        try:
            value = request.option(coap.BLOCK2)
            if value is None or parse(value)[0] == 0:
                return None
            kept = self._kept.get(key)
            if kept is None or kept[0] != _kind(request):
                if request.code == coap.GET:
                    return None
                raise Incomplete("block-forgotten")
            part = slice_response(request, kept[1], kept[2])
        except RemoteError as error:
            return _refusal(error, request)
        if not _more_follow(part):
            self.forget(key)
        return part

    def is_busy(self):
        """Is anything kept of which a peer may want the rest?"""
        return bool(self._kept)

    def forget(self, key):
        """The peer is gone, and what was kept for it."""
        self._kept.pop(key, None)

    def _keep(self, key, request, response, max_size):
        self.forget(key)
        if len(self._kept) >= self._places:
            self.forget(min(self._kept, key=lambda key: self._kept[key][3]))
        self._turn += 1
        self._kept[key] = (_kind(request), response, max_size, self._turn)


def slice_response(request, response, max_size):
    """A copy of `response` with the block that `request` asks for (RFC 7959 sections 2.4 and 2.6), and its token.

    Block2, ETag (of the content, if it has none) and, with the first block, Size2 are there if it has to be cut, or if
    it is a success and the request has Block2. Acknowledges the request's Block1. `max_size`: bytes of payload, at
    least 16. Raises Malformed("block-option"), Malformed("block-range").
    """
    part = response.copy()
    part.token = request.token
    if part.option(coap.BLOCK1) is None and request.option(coap.BLOCK1) is not None:
        part.set_option(coap.BLOCK1, request.option(coap.BLOCK1))
    value = request.option(coap.BLOCK2)
    total = len(response.payload)
    if total <= max_size and (value is None or not coap.CREATED <= response.code < coap.CONTINUE):
        return part
    number, _, asked_szx = (0, False, _MAX_SZX) if value is None else parse(value)
    szx = min(asked_szx, size_szx(max_size))
    start = number * (16 << asked_szx)
    end = start + (16 << szx)
    if start and start >= total:
        raise Malformed("block-range")
    part.payload = response.payload[start:end]
    part.set_option(coap.BLOCK2, encode(start >> (szx + 4), end < total, szx))
    if part.option(coap.ETAG) is None:
        part.set_option(coap.ETAG, sha256(response.payload)[:_ETAG_LENGTH])
    if start:
        part.set_option(coap.OBSERVE, None)
    else:
        part.set_option(coap.SIZE2, total)
    return part


def _more_follow(part):
    value = part.option(coap.BLOCK2)
    return value is not None and parse(value)[1]


def _kind(request):
    """What all blocks of one transfer have in common: code, and the options of the cache key but those of blocks."""
    ignored = (coap.BLOCK1, coap.BLOCK2, coap.OBSERVE)
    options = [item for item in request.options if item[0] not in ignored and item[0] & 0x1E != 0x1C]
    return request.code, options


def _refusal(error, request):
    from . import problem

    refusal = problem.error_response(error)
    refusal.token = request.token
    return refusal
