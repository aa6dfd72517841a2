"""What stands in a label's QR codes, and the sealed label's text code. docs/SPEC.md "Labels".

Owns: the two contents and their one encoding: base32 in Crockford's alphabet, which QR codes carry in their compact
alphanumeric mode and people can type (small letters, blanks, dashes, and O for 0, I and L for 1 are taken as meant).
Must not know: how a label looks, and where a secret goes.
"""

from dataclasses import dataclass

from admit_protocol.errors import Malformed
from admit_protocol.kdf import sha256
from admit_protocol.label import SECRET_LENGTH

DEVICE = "ADMIT:D/"
SEALED = "ADMIT:S/"

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MEANT = str.maketrans("OIL", "011", " -\t\r\n")
_CODE_LENGTH = 28  # 128 bits of secret, 12 bits of check
_CHECK_BITS = 12
_CHECK_LABEL = b"admit:sealed-code"
_SITE_ID, _FINGERPRINT, _MAX_DEVICE_ID = 16, 8, 64


@dataclass(frozen=True)
class DeviceCode:
    """What a public label tells: which site (16 bytes), which device, and the fingerprint (8 bytes) of its key."""

    site_id: bytes
    fingerprint: bytes
    device_id: str

    def text(self) -> str:
        """The content of the QR code."""
        return DEVICE + encode(self.site_id + self.fingerprint + self.device_id.encode())


def parse_device(text: str) -> DeviceCode:
    """What a scanned public label tells; nothing in it is proven. Raises Malformed label-code."""
    if not text.startswith(DEVICE):
        raise Malformed("label-code", "it is no public label of admit")
    data = decode(text[len(DEVICE) :])
    end = _SITE_ID + _FINGERPRINT
    try:
        device_id = data[end:].decode()
    except UnicodeDecodeError:
        raise Malformed("label-code", "the device's name is no text") from None
    if not 0 < len(data) - end <= _MAX_DEVICE_ID:
        raise Malformed("label-code", "the device's name has 1 to 64 bytes")
    return DeviceCode(data[:_SITE_ID], data[_SITE_ID:end], device_id)


def sealed_text(secret: bytes) -> str:
    """The text code of a sealed label: 28 characters in groups of four."""
    number = int.from_bytes(secret, "big") << _CHECK_BITS | _check(secret)
    code = "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CODE_LENGTH)))
    return "-".join(code[at : at + 4] for at in range(0, _CODE_LENGTH, 4))


def sealed_content(secret: bytes) -> str:
    """The content of a sealed label's QR code."""
    return SEALED + sealed_text(secret).replace("-", "")


def parse_sealed(text: str) -> bytes:
    """The secret in what somebody typed or scanned. Raises Malformed label-code, which never repeats what was given."""
    code = text.strip().upper().removeprefix(SEALED).translate(_MEANT)
    if len(code) != _CODE_LENGTH:
        raise Malformed("label-code", f"a sealed label's code has {_CODE_LENGTH} letters and digits, not {len(code)}")
    number = _number(code)
    secret = (number >> _CHECK_BITS).to_bytes(SECRET_LENGTH, "big")
    if number & (1 << _CHECK_BITS) - 1 != _check(secret):
        raise Malformed("label-code", "a character of it is wrong")
    return secret


def encode(data: bytes) -> str:
    """Base32 without padding, RFC 4648 section 6 but for the alphabet."""
    length = -(-len(data) * 8 // 5)
    number = int.from_bytes(data, "big") << length * 5 - len(data) * 8
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def decode(text: str) -> bytes:
    """What `encode` made; exactly its one text is taken. Raises Malformed label-code."""
    length = len(text) * 5 // 8
    data = (_number(text) >> len(text) * 5 - length * 8).to_bytes(length, "big")
    if encode(data) != text:
        raise Malformed("label-code", "it is damaged")
    return data


def _number(text: str) -> int:
    number = 0
    for character in text:
        digit = _ALPHABET.find(character)
        if digit < 0:
            raise Malformed("label-code", "there is a character in it that no code has")
        number = number << 5 | digit
    return number


def _check(secret: bytes) -> int:
    return int.from_bytes(sha256(_CHECK_LABEL, secret)[:2], "big") >> 16 - _CHECK_BITS
