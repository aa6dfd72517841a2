"""What a gateway says for itself: the list of its kiosks, and errors. Everything else it has from kiosks.

The titles of its errors begin with "gateway-", so that nobody takes them for a kiosk's. They are not protected: whoever
reads them believes no more than that something is in the way.
"""

from collections.abc import Iterable
from urllib.parse import quote

from admit_protocol import block, coap, coap_numbers, linkformat, problem
from admit_protocol.errors import (
    AdmitError,
    Busy,
    LocalError,
    MethodNotAllowed,
    NotFound,
    RemoteError,
    TimedOut,
    TooLarge,
    Unsupported,
)

_CORE = (".well-known", "core")
_MAX_LIST = 1024  # bytes of one block of the list of kiosks: any peer takes them


class Unreachable(RemoteError):
    """The kiosk is not there, or the link to it broke."""

    coap = coap_numbers.BAD_GATEWAY


class NoProxy(Unsupported):
    """It is asked to be a forward proxy, which would let anybody reach anything."""

    coap = coap_numbers.PROXYING_NOT_SUPPORTED


class Crowded(Busy):
    """Not now; `max_age`: seconds after which it is worth another try."""

    def __init__(self, detail: str, max_age: int):
        super().__init__("gateway-busy", detail)
        self.max_age = max_age


def no_kiosk() -> NotFound:
    """The Uri-Host names no kiosk of ours."""
    return NotFound("gateway-no-kiosk", "this gateway has no kiosk of that name")


def no_link(cause: AdmitError) -> Unreachable:
    """The kiosk cannot be reached; which ports and addresses that was about stays here."""
    return Unreachable("gateway-no-link", f"the kiosk cannot be reached ({cause.reason})")


def link_lost(cause: AdmitError) -> Unreachable:
    """The link to the kiosk broke while something was outstanding."""
    return Unreachable("gateway-link-lost", f"the link to the kiosk broke ({cause.reason})")


def no_answer() -> TimedOut:
    """The kiosk does not answer."""
    return TimedOut("gateway-no-answer", "the kiosk did not answer in time")


def too_large(length: int, limit: int) -> TooLarge:
    """The request does not fit into one message of the link."""
    return TooLarge("gateway-too-large", f"{length} bytes, the link to the kiosk carries {limit}")


def answer_too_large() -> Unreachable:
    """The kiosk's answer does not fit into what the visitor takes at once."""
    return Unreachable("gateway-too-large", "the kiosk's answer is longer than your side takes")


def fault() -> LocalError:
    """Something went wrong here that nobody foresaw."""
    return LocalError("gateway-fault", "the gateway met an error of its own")


def check_own_options(request: coap.Message) -> None:
    """Raise NoProxy unless it is about kiosks only. RFC 7252 section 5.7.2."""
    if request.option(coap.PROXY_URI) is not None or request.option(coap.PROXY_SCHEME) is not None:
        raise NoProxy("gateway-proxy", "it leads to its own kiosks only")


def refusal(error: AdmitError) -> coap.Message:
    """The response that tells of an error, without token."""
    response = problem.error_response(error)
    if isinstance(error, Crowded):
        response.set_option(coap_numbers.MAX_AGE, error.max_age)
    return response


def own(request: coap.Message, kiosks: Iterable[str]) -> coap.Message:
    """The response to a request that names no kiosk. Raises NotFound, MethodNotAllowed, Malformed."""
    if request.path != _CORE:
        raise NotFound("gateway-no-kiosk", "name a kiosk in Uri-Host; /.well-known/core lists them")
    if request.code != coap.GET:
        raise MethodNotAllowed("gateway-method", "this can only be read")
    links = [(f"coap://{quote(name, safe='')}/", [("rt", "admit.kiosk")]) for name in kiosks]
    found = linkformat.encode(linkformat.select(links, request.queries))
    whole = coap.response(coap.CONTENT, found.encode(), coap.CONTENT_LINK)
    return block.slice_response(request, whole, _MAX_LIST)
