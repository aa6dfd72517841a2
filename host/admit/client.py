"""The user's side: prove the device that the user chose, prove the user to it, then make protected requests.

Order (DESIGN section 4): the device's credential is verified against the site's anchor and against the chosen device id
before EDHOC; nothing of the user leaves before message_2 has verified against that very credential. message_3 travels
with the first protected request (RFC 9668), so a repeat visit takes four flights. Who brings a delegation hands in what
is behind it before anything else; who has no grant yet comes with a bare key, and may enrol.
"""

import asyncio
from dataclasses import dataclass, replace

from admit import following
from admit.connection import Connection, block_wise
from admit.plain import one_line
from admit.suite import HostPrivateKey, HostSuite
from admit_protocol import (
    cbor,
    ccs,
    coap,
    coap_numbers,
    credential,
    edhoc,
    edhoc_client,
    grant,
    oscore_client,
    problem,
)
from admit_protocol.anchor import Anchor
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.errors import (
    AdmitError,
    Busy,
    Conflict,
    Denied,
    Malformed,
    NotFound,
    Refused,
    Replayed,
    TimedOut,
    TooLarge,
    Unauthenticated,
    UnknownCredential,
    Unsupported,
    Untrusted,
    Unverified,
)

METHOD = 2  # the user by static Diffie-Hellman, the device by signature
CIPHER_SUITE = 2
# What OSCORE and CoAP add to a block: OSCORE option 14, tag 8, tokens and ids 8, inner code and options 26.
_OVERHEAD = 56
# The same beside a body that goes whole, and beside its inner options: the outer head 6 at most (token 2 to 4), OSCORE
# option 8, two 0xFF, inner code 1, tag 8.
_PLAIN_OVERHEAD = 25
_MAX_TEXT = 400  # characters that are shown of a device's own words

# GET /id
_STATE, _CREDENTIAL, _VERSIONS, _BOARD_ID, _TEST_ONLY, _ANCHOR, _WIPED = 1, 2, 3, 5, 6, 8, 9

# The exporter by which what is said in a session is bound to it. docs/SPEC.md "Keys".
_BINDING_LABEL, _BINDING_LENGTH = 32768, 32


@dataclass(frozen=True)
class Holder:
    """Who the client is: a static Diffie-Hellman key, the grant that binds it, and the site's trust anchor.

    `chain`: the grants behind a delegation, nearest first; `further`: other grants of the key, each with its chain. A
    newcomer has no grant.
    """

    key: HostPrivateKey
    grant: bytes | None
    anchor: Anchor
    chain: tuple[bytes, ...] = ()
    further: tuple[tuple[bytes, ...], ...] = ()

    def __repr__(self) -> str:
        return f"<Holder of grant {grant.kid_of(self.grant).hex()}>" if self.grant else "<Newcomer>"

    @property
    def credential(self) -> edhoc.Credential:
        """How EDHOC knows the holder: by the grant, or by the bare key."""
        if self.grant is None:
            return ccs.credential(ccs.encode(None, self.key.public))
        return edhoc.cwt_credential(self.grant, grant.kid_of(self.grant))


@dataclass(frozen=True)
class Description:
    """What a device says of itself to anyone: its state, its credential (bytes) if it has one, its versions.

    Over its cable also which board it is; `test_only` if its key was made without a source of randomness of its own;
    `wiped`: the wipe certificate of the life that ended on it, before it joins another site.
    """

    state: str
    credential: bytes | None
    versions: dict
    board_id: bytes | None = None
    test_only: bool = False
    wiped: bytes | None = None


async def describe(connection: Connection) -> Description:
    """GET /id. Nothing in it is proven yet."""
    return description_in(await connection.request(coap.request(coap.GET, "/id")))


def description_in(response: coap.Message) -> Description:
    """What a response to GET /id says."""
    unproven(response)
    body = cbor.expect(cbor.decode(response.payload), dict, "id-body")
    state = cbor.expect(body.get(_STATE), str, "id-body")
    credential_data = cbor.expect(body.get(_CREDENTIAL), (bytes, type(None)), "id-body")
    versions = cbor.expect(body.get(_VERSIONS), dict, "id-body")
    board_id = cbor.expect(body.get(_BOARD_ID), (bytes, type(None)), "id-body")
    wiped = cbor.expect(body.get(_WIPED), (bytes, type(None)), "id-body")
    return Description(state, credential_data, versions, board_id, body.get(_TEST_ONLY) is True, wiped)


async def trusted_anchor(connection: Connection, site_id: bytes) -> Anchor:
    """The anchor that the device tells, which must be the one with this id (16 bytes); its name is the device's word.

    Raises Untrusted("anchor-other-site").
    """
    body = unproven(await connection.request(coap.request(coap.GET, "/id", options=[(coap.URI_QUERY, "anchor=1")])))
    fields = cbor.expect(cbor.decode(body.payload), dict, "id-body")
    told = cbor.expect(fields.get(_ANCHOR), (bytes, type(None)), "id-body")
    if told is None or (found := following.verified(told)).site_id != site_id:
        raise Untrusted("anchor-other-site", "it is not of the site that was meant")
    return found


async def trusted_credential(
    connection: Connection, anchor: Anchor, device_id: str, vouched: bytes | None = None
) -> bytes:
    """The credential of the chosen device, as it gives it, verified against the anchor, unless it is the `vouched` one.

    Raises Untrusted("device-unproven"), ("device-other") for another device of the site, ("credential-other-site").
    """
    data = (await describe(connection)).credential
    if data is None:
        raise Untrusted("device-unproven", "it has no credential: it is not commissioned, or not what it seems")
    if data != vouched:
        check_credential(data, anchor, device_id)
    return data


def check_credential(data: bytes, anchor: Anchor, device_id: str) -> None:
    """Raise unless `data` is the site's credential for exactly this device."""
    parsed = credential.parse(data)
    following.verify_credential(parsed, anchor)
    if parsed.device_id != device_id:
        raise Untrusted("device-other", f"this is {parsed.device_id}, not {device_id}")


class Session:
    """A session with one device. `start` runs EDHOC up to message_2; the first request carries message_3."""

    _context: oscore_client.ClientContext  # there once started

    def __init__(self, connection: Connection, holder: Holder, device_credential: bytes, known: bool = False):
        self.connection = connection
        self.holder = holder
        self._device = edhoc.cwt_credential(device_credential)
        self._by_value = not known
        self._suite = HostSuite()
        self._message_3: bytes | None = None
        self._first = asyncio.Lock()
        self._handed_in = False
        self._is_bare = False  # the device is told of the authority's new key before it is shown what that signed
        self.sent_grant = False
        self.binding = b""

    async def start(self) -> None:
        """message_1 and message_2: afterwards the device has proven itself, and nothing of the user has left."""
        initiator = self._initiator()
        message_1 = edhoc_client.encode_prefixed(None, initiator.message_1())
        response = await self.connection.request(_edhoc_request(message_1, coap_numbers.CONTENT_CID_EDHOC))
        _raise_edhoc_error(response)
        _, id_cred_r, _ = initiator.parse_message_2(unproven(response).payload)
        if id_cred_r != self._device.id_cred:
            raise Untrusted("device-other", "the device names another key than the one in its credential")
        initiator.verify_message_2(self._device)
        self._message_3 = initiator.message_3()
        self._handed_in = False
        self.binding = initiator.exporter(_BINDING_LABEL, b"", _BINDING_LENGTH)
        secret, salt = initiator.oscore()
        self._context = oscore_client.ClientContext(self._suite, secret, salt, initiator.c_r, initiator.c_i)

    async def request(
        self, method: int, path: str, payload: bytes = b"", content_format: int | None = None, query: str = ""
    ) -> coap.Message:
        """One protected request and its whole response. Raises Refused, with the device's reason, for an error."""
        message = coap.request(method, path, payload, content_format, [(coap.URI_QUERY, query)] if query else ())
        async with self._first:  # message_3 goes once, with the first request
            response = await self._whole(message, self._exchange)
        return checked(response)

    async def observe(self, path: str):
        """Yield the response to GET `path`, and another each time it changes, until the caller stops."""
        async with self._first:
            await self._introducing(self._send_message_3)
        message = coap.request(coap.GET, path, options=[(coap.OBSERVE, b"")])
        outer, reference = self._context.protect_request(message)
        async for response in self.connection.observe(outer):
            try:
                told = self._context.unprotect_response(response, reference)
            except (Malformed, Replayed, Unauthenticated, Unsupported, Unverified):
                continue  # anybody may send that: it ends nothing (RFC 8613 section 8.4)
            yield checked(told)

    @property
    def room(self) -> int:
        """Bytes of a request's body that this link carries in one message, whatever else stands in that."""
        return self.connection.max_payload - _OVERHEAD

    def room_beside(self, message: coap.Message) -> int:
        """The same for the body of this very request, which is more: it needs no options of blocks."""
        return self.connection.max_payload - _PLAIN_OVERHEAD - len(coap.encode_body(message.options, b""))

    async def _exchange(self, message: coap.Message) -> coap.Message:
        return await self._introducing(lambda: self._protected(message))

    async def _whole(self, message: coap.Message, exchange) -> coap.Message:
        fits = len(message.payload) <= self.room_beside(message)
        return await block_wise(message, max(len(message.payload), self.room) if fits else self.room, exchange)

    async def _hand_in(self) -> None:
        """Show what is behind a delegation that goes by value, and further grants, of which the best then decides."""
        if self._handed_in:
            return
        is_short = not self._is_bare and not (self._by_value and self.holder.chain)
        own = () if is_short or self.holder.grant is None else ((self.holder.grant, *self.holder.chain),)
        bodies = [following.steps(self.holder.anchor)] if self._is_bare else []
        bodies += [cbor.encode(list(items)) for items in own + self.holder.further]
        for body in bodies:
            message = coap.request(coap.POST, "/grants", body, coap.CONTENT_CBOR)
            self._check_taken(await self._whole(message, self._protected))
        self._handed_in = True

    def _check_taken(self, response: coap.Message) -> None:
        """Raise what the device says against a grant."""
        try:
            checked(response)
        except Refused as error:
            if error.reason != "cose-signature" or not self._has_news:
                raise
            what = "the authority's key that signed the grant counts no more"
            raise Refused("grant-old-authority", what, error.code) from None

    async def _introducing(self, step):
        """Run `step`; if the device does not know the grant yet, run EDHOC again with the grant itself, and repeat it.
        If it refuses that, it may not know yet which key signs for the site: it is told in a session of the bare key.

        That is safe: a device that did not know the grant has executed nothing. Nobody vouches for its saying so: it
        is believed of message_3 alone, and once.
        """
        while True:
            try:
                await self._hand_in()
                return await step()
            except UnknownCredential:
                if self._by_value:
                    raise
                self._by_value = True
            except Refused as error:
                if error.reason != "handshake-refused" or self._is_bare or not self._has_news:
                    raise
                self._is_bare = True
            await self.start()

    @property
    def _has_news(self) -> bool:
        """May there be something of the authority's keys that a device has not heard?"""
        return self.holder.grant is not None and bool(self.holder.anchor.successions)

    async def _protected(self, message: coap.Message) -> coap.Message:
        if self._message_3 is not None and not self._fits(self._message_3, message):
            await self._send_message_3()
        outer, reference = self._context.protect_request(message)
        if self._message_3 is not None:
            outer = oscore_client.combine(self._message_3, outer)
        response = await self.connection.exchange(outer)
        if self._message_3 is not None:
            _raise_edhoc_error(response)
        if response.option(coap.OSCORE) is None and response.code in _LOST[self._message_3 is not None :]:
            raise TimedOut("session-lost")
        _raise_gateway_error(response)
        if response.option(coap.OSCORE) is None:
            raise Refused("device-refused", coap.code_text(response.code), response.code)
        inner = self._context.unprotect_response(response, reference)
        self._message_3 = None
        return inner

    def _fits(self, message_3: bytes, message: coap.Message) -> bool:
        return len(message_3) + len(message.payload) + _OVERHEAD + 32 <= self.connection.max_payload

    async def _send_message_3(self) -> None:
        if self._message_3 is None:
            return
        body = edhoc_client.encode_prefixed(self._context.sender_id, self._message_3)
        response = await self.connection.request(_edhoc_request(body, coap_numbers.CONTENT_CID_EDHOC))
        _raise_edhoc_error(response)
        unproven(response)
        self._message_3 = None

    def _initiator(self) -> Initiator:
        own = replace(self.holder, grant=None).credential if self._is_bare else self.holder.credential
        id_cred_i = edhoc.by_value(own.data) if self._by_value or self._is_bare else own.id_cred
        self.sent_grant = self._by_value
        c_i = bytes([self._suite.random(1)[0] % 24])
        return Initiator(self._suite, METHOD, [CIPHER_SUITE], self.holder.key, id_cred_i, own, c_i)


# The device has another context under this one's name, or (also right after a handshake) none: RFC 8613 section 8.2.
_LOST = (coap.BAD_REQUEST, coap_numbers.UNAUTHORIZED)


def _edhoc_request(body: bytes, content_format: int) -> coap.Message:
    return coap.request(coap.POST, "/.well-known/edhoc", body, content_format)


def _raise_edhoc_error(response: coap.Message) -> None:
    """Raise what an EDHOC error message says. It is not authenticated: it may stop us, never persuade us."""
    if response.code < 0x80 or response.uint(coap.CONTENT_FORMAT) != coap.CONTENT_EDHOC:
        return
    error = edhoc_client.parse_error(response.payload)
    if error and error[0] == 3:
        raise UnknownCredential("edhoc-unknown-credential", "the device does not know this grant")
    said = _printable(str(error[1])) if error else ""
    if said == "edhoc-unexpected":
        raise TimedOut("session-lost", "it knows nothing of this handshake")
    raise Refused("handshake-refused", said, response.code)


def unproven(response: coap.Message) -> coap.Message:
    """The response of somebody who has proven nothing; an error in it is no more than a refusal."""
    _raise_gateway_error(response)
    try:
        return checked(response)
    except AdmitError as error:
        raise Refused(error.reason, error.detail, response.code) from None


# What a gateway on the way says of itself. Nobody vouches for that either: it may stop us, or make us try again.
_GATEWAY = {
    coap_numbers.NOT_FOUND: NotFound,
    coap_numbers.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    coap_numbers.BAD_GATEWAY: TimedOut,
    coap_numbers.SERVICE_UNAVAILABLE: Busy,
    coap_numbers.GATEWAY_TIMEOUT: TimedOut,
}


def _raise_gateway_error(response: coap.Message) -> None:
    if response.code not in _GATEWAY or response.uint(coap.CONTENT_FORMAT) != coap.CONTENT_PROBLEM:
        return
    if response.option(coap.OSCORE) is not None:
        return
    details = problem.decode(response.payload)
    reason = _printable(details.get(problem.TITLE, ""))
    if reason.startswith("gateway-"):
        raise _GATEWAY[response.code](reason, _printable(details.get(problem.DETAIL, "")))


_BY_STATUS = {coap_numbers.NOT_FOUND: NotFound, coap_numbers.CONFLICT: Conflict, coap_numbers.SERVICE_UNAVAILABLE: Busy}


def checked(response: coap.Message) -> coap.Message:
    """The response, or the error that it tells of."""
    if response.code < 0x80:
        return response
    details = {}
    if response.uint(coap.CONTENT_FORMAT) == coap.CONTENT_PROBLEM:
        details = problem.decode(response.payload)
    raise _refusal(response.code, details)


def _refusal(code: int, details: dict) -> AdmitError:
    reason = _printable(details.get(problem.TITLE, "device-refused"))
    detail = _printable(details.get(problem.DETAIL, "")) or ("" if problem.TITLE in details else coap.code_text(code))
    if code == coap_numbers.FORBIDDEN:
        return Denied(reason, detail, details.get(problem.RULE))
    if code in _BY_STATUS:
        return _BY_STATUS[code](reason, detail)
    return Refused(reason, detail, code, details)


def _printable(text: str) -> str:
    return one_line(text, _MAX_TEXT)
