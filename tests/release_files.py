"""Releases for tests: small ones, and such as are wrong in one way."""

import hashlib

from admit import releases, releasing
from admit_protocol import cbor
from sites import NOW

FILES = {"start.mpy": b"M\x06 the beginning", "admit_device/device.mpy": bytes(range(200)), "routines.mpy": b""}


def wish(version="1.4.0", **more):
    """What is wished of a release."""
    return releasing.Wish(version, more.pop("boards", ["virtual"]), "virtual", 6, **more)


def build(site, signer, version="1.4.0", files=None, now=NOW, **more):
    """A release of a site, built as `admit release build` does."""
    return releasing.build(site.registry, signer, wish(version, **more), FILES if files is None else files, now)


def with_parts(data, **changed):
    """A release file with other parts; `check` is put right unless it is one of them."""
    parts = dict(zip(("format", "manifest", "list", "blobs", "check"), cbor.decode(data, len(data)), strict=True))
    parts |= changed
    if "check" not in changed and "blobs" in changed:
        parts["check"] = hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in parts["blobs"])).digest()
    return cbor.encode(list(parts.values()))


def packed(content):
    """Content as it stands in a file."""
    return releases.compress(content)
