"""The time, as an authority answers a device that asked for it: good for that device, and for that question.

Owns: the answer's bytes; issuing.time_answer signs it.
Rules: the device's own fresh nonce stands in it, so an old answer says nothing; how long a nonce is good for is the
device's to say.
Must not know: clocks.
"""

from collections import namedtuple

from . import cose, papers
from .const import const
from .errors import Replayed

NONCE_LENGTH = const(8)

# `site_id`: 16 bytes; `device_id`: text; `nonce`: 8 bytes; `now`: unix seconds.
TimeAnswer = namedtuple("TimeAnswer", ("site_id", "device_id", "nonce", "now", "sign1"))


def parse(data):
    """The TimeAnswer in `data`, not yet verified. Raises Malformed or Unsupported cbor-…, cose-…; time-structure."""
    return TimeAnswer(*papers.read(data, (16, str, NONCE_LENGTH, int), "time-structure"))


def verify(answer, anchor, device_id, nonce, suite):
    """Returns if the anchor's authority answered this device's question `nonce`.

    Raises Untrusted paper-other-site or paper-other-device, Unverified cose-signature, Replayed time-nonce.
    """
    papers.verify(answer, cose.TIME, anchor.sign_public, anchor.site_id, device_id, suite)
    if answer.nonce != nonce:
        raise Replayed("time-nonce")
