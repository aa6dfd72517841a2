"""Files that are encrypted with a passphrase: age, version 1 (age-encryption.org/v1), its scrypt recipient.

Owns: the way from bytes to such a file and back. Any other program that reads age opens them with the passphrase.
Rules: nothing of a file is believed before all of it has been verified. How much work a file may ask of whoever opens
it is bounded.
Must not know: what is in the files.
"""

import re

import pyrage

from admit_protocol.errors import LocalError, Malformed, Unsupported

_HEAD = re.compile(rb"age-encryption\.org/v1\n-> scrypt [A-Za-z0-9+/]{22} ([1-9][0-9]?)\n")
_MAX_WORK = 22  # log2 of scrypt's N: 4 GiB of memory; what is made here takes a second of its machine, mostly 18 or 19

_NO_KEY = "Decryption failed"  # what the library says of a passphrase; it has no other way to tell


def seal(data: bytes, passphrase: str) -> bytes:
    """An age file that holds `data`, for whoever knows `passphrase`. Takes about a second, and up to 512 MiB."""
    return pyrage.passphrase.encrypt(data, passphrase)


def unseal(data: bytes, passphrase: str) -> bytes:
    """What is in an age file.

    Raises Malformed age-file if it is none, Unsupported age-work if it asks for too much, LocalError age-passphrase if
    the passphrase is wrong (or the file's head was changed), Malformed age-damaged if it was cut or changed.
    """
    check(data)
    try:
        return pyrage.passphrase.decrypt(data, passphrase)
    except pyrage.DecryptError as error:
        if str(error) == _NO_KEY:
            raise LocalError("age-passphrase", "the passphrase is wrong, or the file's head was changed") from None
        raise Malformed("age-damaged", "the file was cut or changed") from None


def check(data: bytes) -> None:
    """Whether it may be worth asking for its passphrase. Raises Malformed age-file, Unsupported age-work."""
    found = _HEAD.match(data)
    if found is None:
        raise Malformed("age-file", "it is no age file with a passphrase, or not even its head is whole")
    if int(found[1]) > _MAX_WORK:
        raise Unsupported("age-work", f"scrypt with 2^{int(found[1])} is more than 2^{_MAX_WORK}")
