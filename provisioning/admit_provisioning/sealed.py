"""The sealed label's secret at work: handed to a factory board over its cable, and spent when the board joins by air.

Owns: the host's half of firmware/admit_device/sealed.py.
Rules: the secret lives in this process alone, from its making to the printed sheet, or from the keyboard to the proof;
it is in no file of the site, no log and no error. A host believes nothing that a device with a label says before it
has proven that it knows the secret, too.
"""

import os

from admit.client import checked, unproven
from admit.connection import Connection, block_wise
from admit.suite import HostSuite
from admit_protocol import cbor, coap, coap_numbers, cose, label
from admit_protocol.errors import Busy, NotFound, Refused, RemoteError, Untrusted
from admit_protocol.oscore_client import ClientContext

_CONTRIBUTION, _LABEL, _PUBLIC_KEY = 1, 2, 1  # POST /identity
_CHALLENGE = 7  # GET /id
# What OSCORE and CoAP add to a block: the OSCORE option with its ID Context 32, tag 8, tokens and ids 8, options 26.
_OVERHEAD = 74


def new_secret() -> bytes:
    """The secret of one new label, 16 bytes."""
    return os.urandom(label.SECRET_LENGTH)


def link_name(secret: bytes) -> str:
    """Where the board with this label is to be found: a name for `open_transport`."""
    return f"ble:{label.advertised_name(secret)}"


async def seal(connection: Connection, secret: bytes) -> bytes:
    """Hand a factory board the secret of its label, over its cable; the board's public key, 64 bytes.

    A label that it had before no longer counts. Raises Conflict identity-commissioned.
    """
    body = cbor.encode({_CONTRIBUTION: os.urandom(32), _LABEL: secret})
    response = checked(await connection.request(coap.request(coap.POST, "/identity", body, coap.CONTENT_CBOR)))
    answer = cbor.expect(cbor.decode(response.payload), dict, "identity-body")
    return cose.decode_key(cbor.expect(answer.get(_PUBLIC_KEY), dict, "identity-body"))[0]


async def unseal(connection: Connection, secret: bytes) -> "SealedConnection":
    """Ask the device for its challenge, and make the context of this label with it.

    Nothing is proven yet: the first answer to a request proves the device. Raises NotFound sealed-none.
    """
    described = unproven(await connection.request(coap.request(coap.GET, "/id")))
    body = cbor.expect(cbor.decode(described.payload), dict, "id-body")
    challenge = cbor.expect(body.get(_CHALLENGE), (bytes, type(None)), "id-body")
    if challenge is None:
        raise NotFound("sealed-none", "this device waits for no sealed label")
    if len(challenge) != label.CHALLENGE_LENGTH:
        raise Untrusted("sealed-impostor", "its challenge is none")
    return SealedConnection(connection, secret, challenge)


class SealedConnection:
    """Requests to a factory device, each protected by its label. Used like the `request` of a Connection."""

    def __init__(self, connection: Connection, secret: bytes, challenge: bytes):
        suite = HostSuite()
        id_context = challenge + suite.random(label.CHALLENGE_LENGTH)
        self._connection = connection
        self._context = ClientContext(suite, label.master_secret(secret), b"", label.host_id(secret), b"", id_context)

    async def request(self, message: coap.Message) -> coap.Message:
        """Send a request, whole; the response of a device that knows the secret.

        Raises Untrusted sealed-other, sealed-impostor, Busy sealed-wait, and what a proven answer says.
        """
        return await block_wise(message, self._connection.max_payload - _OVERHEAD, self._exchange)

    async def _exchange(self, message: coap.Message) -> coap.Message:
        outer, reference = self._context.protect_request(message)
        response = await self._connection.exchange(outer)
        if response.option(coap.OSCORE) is None:
            raise _unprotected(response)
        try:
            return self._context.unprotect_response(response, reference)
        except RemoteError as error:
            raise Untrusted("sealed-impostor", error.reason) from None


def _unprotected(response: coap.Message) -> RemoteError:
    """What a device says that has not proven itself: it may stop us, never persuade us."""
    if response.code == coap_numbers.UNAUTHORIZED:
        return Untrusted("sealed-other")
    if response.code == coap_numbers.SERVICE_UNAVAILABLE:
        return Busy("sealed-wait")
    if response.code < 0x80:
        return Untrusted("sealed-impostor", "it answers in the clear")
    return Refused("device-refused", coap.code_text(response.code), response.code)
