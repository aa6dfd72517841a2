"""Being there: the code that a kiosk shows, or its button, told to the device in the session that needs it."""

from admit.client import Session
from admit_protocol import cbor, coap
from admit_protocol.errors import Malformed

# GET and POST /presence
_CODE, _BUTTON = 1, 2


async def ask_code(session: Session) -> int:
    """Have the kiosk show a code for this session; of how many digits."""
    response = await session.request(coap.GET, "/presence")
    digits = cbor.expect(cbor.decode(response.payload), dict, "presence-body").get(_CODE)
    if type(digits) is not int:
        raise Malformed("presence-body")
    return digits


async def tell_code(session: Session, code: str) -> None:
    """Tell what the kiosk shows. Raises Denied code-wrong or presence-none, Busy code-wait."""
    await session.request(coap.POST, "/presence", cbor.encode({_CODE: code}), coap.CONTENT_CBOR)


async def tell_button(session: Session) -> None:
    """Tell that the kiosk's button was pressed just now. Raises Denied presence-button."""
    await session.request(coap.POST, "/presence", cbor.encode({_BUTTON: True}), coap.CONTENT_CBOR)
