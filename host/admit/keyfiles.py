"""Key files: P-256 keys as PEM, readable by foreign tools, and written so that nobody else can read a private one.

Owns: the formats (an anchor's own; SubjectPublicKeyInfo; PKCS #8, encrypted by PBES2 with scrypt and AES-256-CBC,
RFC 8018, RFC 7914), file modes, and whole-or-absent writes.
Rules: private files are 0600 from their first byte on, and are refused if others may read them.
Must not know: whose key it is, or what for.
"""

import base64
import os
import tempfile
import textwrap
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from admit.suite import HostPrivateKey
from admit_protocol import cbor
from admit_protocol.anchor import Anchor
from admit_protocol.anchor import decode as decode_anchor
from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound, Unsupported
from admit_protocol.kdf import sha256

ANCHOR = "anchor.cbor"

_CURVE = ec.SECP256R1()

# scrypt's cost: OWASP's choice for the 16 MB that OpenSSL allows by default. About 0.25 s on a laptop.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 5

_OID_PBES2 = bytes.fromhex("2a864886f70d01050d")
_OID_SCRYPT = bytes.fromhex("2b06010401da47040b")
_OID_AES256_CBC = bytes.fromhex("60864801650304012a")


def make_private_file(path: Path, passphrase: str | None = None) -> bytes:
    """Make a new private key and its file, encrypted if there is a passphrase. Returns the public key, 64 bytes."""
    pem, public = make_private_pem(passphrase)
    write_file(path, pem)
    return public


def make_private_pem(passphrase: str | None = None) -> tuple[bytes, bytes]:
    """A new private key, for a file as `make_private_file` makes it; and its public key, 64 bytes."""
    key = ec.generate_private_key(_CURVE)
    plain, public = _pkcs8(key), HostPrivateKey(key).public
    if passphrase is None:
        return _pem("PRIVATE KEY", plain), public
    return _pem("ENCRYPTED PRIVATE KEY", _encrypt(plain, passphrase.encode())), public


def reencrypt(pem: bytes, passphrase: str, new: str) -> bytes:
    """The PEM file of the same key under another passphrase. Raises what parse_private_pem does."""
    return _pem("ENCRYPTED PRIVATE KEY", _encrypt(_pkcs8(_load_private(pem, passphrase)), new.encode()))


def parse_private_pem(pem: bytes, passphrase: str | None = None) -> HostPrivateKey:
    """The key in a PEM file. Raises LocalError key-passphrase if the passphrase is wrong, else Malformed key-file."""
    return HostPrivateKey(_load_private(pem, passphrase))


def _pkcs8(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _load_private(pem: bytes, passphrase: str | None) -> ec.EllipticCurvePrivateKey:
    encrypted = b"ENCRYPTED" in pem
    try:
        key = load_pem_private_key(pem, passphrase.encode() if encrypted and passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise LocalError("key-passphrase", "the passphrase is wrong, or the key file is damaged") from None
        raise Malformed("key-file", "not a private key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Malformed("key-file", "not a P-256 key")
    return key


def fingerprint(public: bytes) -> str:
    """The name of a public key: the first 8 bytes of its SHA-256, in hex."""
    return sha256(public)[:8].hex()


def public_pem(*publics: bytes) -> str:
    """Public keys (64 bytes each) as PEM, one after the other."""
    keys = [ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, b"\x04" + public) for public in publics]
    return "".join(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() for key in keys)


def parse_public_pem(text: str) -> list[bytes]:
    """The P-256 public keys (64 bytes each) in a PEM file, at least one. Raises Malformed key-file."""
    end = "-----END PUBLIC KEY-----"
    blocks = [block + end for block in text.split(end)[:-1]]
    if not blocks or "PRIVATE" in text:
        raise Malformed("key-file", "no PEM block 'PUBLIC KEY', or a private one")
    return [_parse_public_block(block) for block in blocks]


def _parse_public_block(block: str) -> bytes:
    try:
        key = load_pem_public_key(block.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Malformed("key-file", "not a public key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Malformed("key-file", "not a P-256 key")
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def load_anchor(folder: Path) -> Anchor:
    """The trust anchor kept in `folder`. Raises NotFound file-missing, or Malformed."""
    return decode_anchor(read_file(folder / ANCHOR))


def save_anchor(folder: Path, anchor: Anchor) -> None:
    """Keep a trust anchor in `folder`."""
    write_file(folder / ANCHOR, anchor.encode(), secret=False)


def make_folder(path: Path) -> None:
    """A new folder that only its owner may enter. Raises Conflict file-exists."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise Conflict("file-exists", f"{path} is there already") from None


def write_file(path: Path, data: bytes, secret: bool = True) -> None:
    """Write a file, whole or not at all; a secret one is for its owner's eyes only."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not secret:
            os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_file(path: Path) -> bytes:
    """What is in a file. Raises NotFound file-missing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound("file-missing", str(path)) from None


def cbor_file(data: bytes, reason: str) -> list:
    """The list in a file that somebody was given. Raises Malformed `reason` for what is no such file at all."""
    try:
        return cbor.expect(cbor.decode(data), list, reason)
    except (Malformed, Unsupported):
        raise Malformed(reason) from None


def read_secret_file(path: Path) -> bytes:
    """What is in a file that only its owner may read. Raises NotFound file-missing, LocalError file-readable."""
    data = read_file(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise LocalError("file-readable", f"others may read {path}")
    return data


def _encrypt(plain: bytes, passphrase: bytes) -> bytes:
    """EncryptedPrivateKeyInfo, RFC 5958 section 3, with PBES2, RFC 8018 section 6.2, and scrypt, RFC 7914 section 7."""
    salt, iv = os.urandom(16), os.urandom(16)
    key = Scrypt(salt, 32, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P).derive(passphrase)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    cost = _integer(_SCRYPT_N) + _integer(_SCRYPT_R) + _integer(_SCRYPT_P) + _integer(32)
    kdf = _sequence(_der(0x06, _OID_SCRYPT), _sequence(_der(0x04, salt), cost))
    cipher = _sequence(_der(0x06, _OID_AES256_CBC), _der(0x04, iv))
    return _sequence(_sequence(_der(0x06, _OID_PBES2), _sequence(kdf, cipher)), _der(0x04, ciphertext))


def _pem(label: str, der: bytes) -> bytes:
    """RFC 7468 section 2."""
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content
