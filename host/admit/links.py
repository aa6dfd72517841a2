"""The texts that links and QR codes carry between an admin's machine, phones and labels (docs/SPEC.md 24.4).

Owns: the kinds, `admit://KIND#…`, `ADMIT:D/…`, and the form in which a site's own page opens them: the page's address,
a `#`, and the same. What stands behind a `#` stays in the browser: no server is told of it.
Rules: one text for each content: base64url without padding, nothing around it but blanks. A sealed label never
becomes a link. What is read is not believed yet, and a text that is refused is never repeated: it may hold a secret.
Must not know: how a text travels, and what is done with what it says.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from admit import codes, invitation, invites
from admit_protocol.errors import LocalError, Malformed

KEY = "key"
INVITE = "invite"
INVITATION = "invitation"

_SCHEME = re.compile(r"admit://(key|invite|invitation)#")
_FRAGMENT = re.compile(r"(key|invite|invitation)=")
_HOST = r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?"
_PAGE = re.compile(rf"({_HOST})(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
_MAX_PAGE = 200  # characters: what is longer makes QR codes that no phone reads
_MAX_TEXT = 65536
_PUBLIC, _MAX_NAME = 64, 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Key:
    """Somebody's public keys (64 bytes each: to log in, to sign), and what they call themselves, which nobody vouches
    for.
    """

    login: bytes
    sign: bytes
    name: str

    def text(self) -> str:
        """The link that a phone shows to an admin."""
        return f"admit://{KEY}#{_encode(self.login + self.sign + self.name.encode())}"


@dataclass(frozen=True)
class Invitation:
    """An invitation's bytes (invitation.py)."""

    data: bytes

    def text(self) -> str:
        """The link that a phone takes it by."""
        return f"admit://{INVITATION}#{_encode(self.data)}"


Link = Key | Invitation | invites.Link | codes.DeviceCode


def parse(text: str) -> Link:
    """What a text says that was scanned or pasted: a public label, an invite, a key or an invitation, by its type.

    Raises Malformed label-code, invite-link, key-link, invitation-file; link-sealed for a sealed label, and
    link-unknown for what is none of these.
    """
    text = text.strip()
    if len(text) > _MAX_TEXT:
        raise Malformed("link-unknown", "that is too long for a link")
    plain = _without_page(text)
    if plain.startswith(codes.SEALED):
        raise Malformed("link-sealed", "that is a sealed label: it belongs to admit provision alone")
    if plain.startswith(codes.DEVICE):
        return codes.parse_device(plain)
    found = _SCHEME.match(plain)
    if not found:
        raise Malformed("link-unknown", "that is no link or label of admit")
    return _PARSERS[found[1]](plain)


def is_link(text: str) -> bool:
    """Does it look like one of these, rather than like a file with the same content? It may be damaged all the same."""
    return text.lstrip()[:8].lower().startswith(("admit:", "https:", "http:"))


def on_page(page: str | None, text: str) -> str:
    """`text`, a link or a public label, so that it opens `page`; without a page as it is.

    Raises LocalError page-url, link-sealed.
    """
    if not page:
        return text
    check_page(page)
    if text.startswith(codes.SEALED):
        raise LocalError("link-sealed", "a sealed label is for nobody's page")
    return f"{page}#{_SCHEME.sub(lambda found: found[1] + '=', text)}"


def parts_on_page(page: str | None, text: str) -> list[str]:
    """As `on_page`, in the parts that a QR code holds best each in its own mode: the address, a label's capitals."""
    whole = on_page(page, text)
    return [f"{page}#", text] if page and text.startswith(codes.DEVICE) else [whole]


def check_page(page: str) -> str:
    """`page` if it can be the address of a site's own page. Raises LocalError page-url."""
    if len(page) > _MAX_PAGE or not _PAGE.fullmatch(page):
        raise LocalError("page-url", f"'{page}' is no address of a page: https://keys.example.org/, without a #")
    return page


def parse_key(text: str) -> Key:
    """What a key link holds. Raises Malformed key-link."""
    data = _decode(text, KEY, "key-link")
    name = data[2 * _PUBLIC :]
    try:
        key = Key(data[:_PUBLIC], data[_PUBLIC : 2 * _PUBLIC], name.decode())
        for public in (key.login, key.sign):
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
    except ValueError:  # no UTF-8 either
        raise Malformed("key-link", "what is in the link is no key") from None
    if not 0 < len(name) <= _MAX_NAME or _CONTROL.search(key.name) or key.login == key.sign:
        raise Malformed("key-link", "what is in the link is no key with a name")
    return key


def parse_invitation(text: str) -> Invitation:
    """What an invitation link holds. Raises Malformed invitation-file."""
    data = _decode(text, INVITATION, "invitation-file")
    invitation.decode(data)
    return Invitation(data)


_PARSERS: dict[str, Callable[[str], Link]] = {KEY: parse_key, INVITE: invites.decode, INVITATION: parse_invitation}


def _without_page(text: str) -> str:
    """What an address of a page carries behind its `#`, in the form that stands alone; any other text as it is."""
    page, _, fragment = text.partition("#")
    if len(page) > _MAX_PAGE or not _PAGE.fullmatch(page):
        return text
    if found := _FRAGMENT.match(fragment):
        return f"admit://{found[1]}#{fragment[found.end() :]}"
    return fragment if fragment.startswith((codes.DEVICE, codes.SEALED)) else text


def _decode(text: str, kind: str, reason: str) -> bytes:
    code = text.removeprefix(f"admit://{kind}#")
    try:
        data = base64.b64decode(code + "=" * (-len(code) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    if _encode(data) != code or not data:
        raise Malformed(reason, "that is not the whole link, or it is damaged")
    return data


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
