"""What waits at a device: a takeover, told to whoever has a session there.

Owns: the answer to GET /takeover. Every visit of the command line asks for it, so this file needs no registry.
Must not know: what is done about it: taking_over.py.
"""

from dataclasses import dataclass

from admit.client import Session
from admit_protocol import anchor, cbor, coap, takeover
from admit_protocol.takeover import Words

PATH = "/takeover"
_POLICY, _SAID, _VETOED = 1, 2, 3


@dataclass(frozen=True)
class Standing:
    """What a device says in a session: the recovery policy that it holds (bytes), what waits (bytes), for how many
    seconds under power, who signed that (SHA-256 of each key), and how many were vetoed.
    """

    policy: bytes | None
    said: bytes | None = None
    left_s: int = 0
    signers: tuple[bytes, ...] = ()
    vetoed: int = 0

    @property
    def number(self) -> int:
        """The number of that policy; 0 if it holds none."""
        return takeover.parse_policy(self.policy).number if self.policy else 0

    @property
    def words(self) -> Words | None:
        """What waits, read."""
        return takeover.parse_words(self.said) if self.said else None

    @property
    def target(self) -> anchor.Anchor | None:
        """The anchor, unverified, of the site to which it leads."""
        return anchor.decode(self.words.to) if self.words else None


async def ask(session: Session) -> Standing:
    """What waits at the device, and who may take it over."""
    told = cbor.expect(cbor.decode((await session.request(coap.GET, PATH)).payload), dict, "takeover-answer")
    policy = cbor.expect(told.get(_POLICY), (bytes, type(None)), "takeover-answer")
    vetoed = cbor.expect(told.get(_VETOED, 0), int, "takeover-answer")
    waiting = cbor.expect(told.get(_SAID), (list, type(None)), "takeover-answer")
    if waiting is None:
        return Standing(policy, vetoed=vetoed)
    kinds = zip(waiting, (bytes, int, list), strict=False)
    said, left_s, signers = [cbor.expect(each, kind, "takeover-answer") for each, kind in kinds]
    takeover.parse_words(said)
    return Standing(policy, said, left_s, tuple(signers), vetoed)
