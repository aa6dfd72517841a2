"""Recovery keys and what is signed with them: at the desk of the site, of each holder, and of the site that takes over.

Owns: the recovery file (who may take the site's devices over) and the takeover file (what is signed, and by whom so
far), and what is done with them where no device is.
Rules: nothing in a file is believed but what its anchor's key has signed; whose anchor that is, people know by the
site's id. Each holder signs on their own machine, and sees what. The site that takes over proves nothing by its file:
the holders do.
Must not know: how people are asked, and how a device is reached: taking_over.py.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from admit.authority import Authority
from admit.editing import editing
from admit.registry_takeovers import newest_policy
from admit.site import Site
from admit.suite import HostPrivateKey, HostSuite
from admit.takeover_models import RecoveryPolicyRow
from admit_protocol import anchor, cbor, cose, issuing, succession, takeover
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Malformed, Untrusted, Unverified
from admit_protocol.kdf import sha256
from admit_protocol.takeover import RecoveryPolicy, Words

NONCE_LENGTH = 16


@dataclass(frozen=True)
class Recovery:
    """What a recovery file holds, verified: whose devices may be taken over, by whom. `data`: the policy's bytes."""

    origin: Anchor
    data: bytes

    @property
    def policy(self) -> RecoveryPolicy:
        """The recovery policy, read."""
        return takeover.parse_policy(self.data)

    def encode(self) -> bytes:
        """The file's bytes."""
        return cbor.encode([self.origin.encode(), self.data])


@dataclass(frozen=True)
class Takeover:
    """What a takeover file holds, verified: `said` is what is signed; `signatures`: in the order of their keys."""

    recovery: Recovery
    said: bytes
    signatures: tuple[bytes, ...] = ()

    @property
    def words(self) -> Words:
        """What is signed, read."""
        return takeover.parse_words(self.said)

    @property
    def target(self) -> Anchor:
        """The anchor of the site to which it leads."""
        return takeover.target(self.words, HostSuite())

    def encode(self) -> bytes:
        """The file's bytes."""
        return cbor.encode([self.recovery.origin.encode(), self.recovery.data, self.said, list(self.signatures)])


def open_recovery(data: bytes) -> Recovery:
    """The Recovery in a file. Raises Malformed recovery-keys-file, and what the papers in it are refused for."""
    items = cbor.expect(cbor.decode(data), list, "recovery-keys-file")
    if len(items) != 2:
        raise Malformed("recovery-keys-file", "it holds no recovery keys")
    return _verified(*(cbor.expect(each, bytes, "recovery-keys-file") for each in items))


def open_takeover(data: bytes) -> Takeover:
    """The Takeover in a file; each signature in it holds. Raises Malformed takeover-file, and what the papers in it are
    refused for.
    """
    items = cbor.expect(cbor.decode(data), list, "takeover-file")
    if len(items) != 4:
        raise Malformed("takeover-file", "it holds no takeover")
    origin, policy, said = (cbor.expect(each, bytes, "takeover-file") for each in items[:3])
    found = Takeover(_verified(origin, policy), said)
    _ = found.target
    signatures = takeover.parse_signatures(items[3])
    for each in signatures:
        takeover.verify_signature(each, found.words, HostSuite())
    found = replace(found, signatures=tuple(items[3]))
    _check_keys(found, [each.public for each in signatures])
    return found


def open_anchor(data: bytes) -> Anchor:
    """The anchor of a site in its file. Raises what anchor.decode and succession.verify_chain do."""
    found = anchor.decode(data)
    succession.verify_chain(found, HostSuite())
    return found


def target_of(said: bytes) -> Anchor:
    """The anchor, not verified, of the site to which what waits somewhere leads."""
    return anchor.decode(takeover.parse_words(said).to)


def nonce_of(said: bytes) -> bytes:
    """By which a takeover is vetoed."""
    return takeover.parse_words(said).nonce


def set_keys(
    site: Site, signer: Authority, publics: Sequence[bytes], threshold: int, delay_s: int, now: int
) -> Recovery:
    """Say who may take the site's devices over: any `threshold` of the holders of these keys (64 bytes each), after
    `delay_s`. Devices hear of it by their next sync. Raises Malformed recovery-structure.
    """
    with editing(site, signer, now) as edit:
        before = newest_policy(edit.session)
        number = before.number + 1 if before else 1
        data = signer.issue_recovery_policy(number, threshold, publics, delay_s, now)
        edit.session.add(RecoveryPolicyRow(number=number, data=data, issued_at=now))
        edit.note("recovery keys", f"{threshold} of {len(publics)}, number {number}, after {delay_s // 3600} h")
    return Recovery(site.anchor, data)


def signed_now(site: Site, signer: Authority, row: RecoveryPolicyRow) -> bytes:
    """A recovery policy by the authority's present key; it says the same, and builds takeovers as before."""
    policy = takeover.parse_policy(row.data)
    try:
        takeover.verify_policy(policy, site.anchor, HostSuite())
    except Unverified:
        return signer.renew_recovery_policy(row.data)
    return row.data


def prepare(recovery: Recovery, to: Anchor, devices: Sequence[str] | None, now: int, expires: int) -> Takeover:
    """What is to be signed: the devices of that site (patterns; None: all) go to `to`, by `expires`."""
    nonce, names = os.urandom(NONCE_LENGTH), None if devices is None else list(devices)
    said = (recovery.origin.site_id, names, to.encode(), nonce, recovery.policy.hash, now, expires)
    return Takeover(recovery, issuing.takeover_words(*said))


def sign(prepared: Takeover, key: HostPrivateKey) -> Takeover:
    """The same with the signature of the holder of `key`; once is enough.

    Raises Untrusted takeover-unknown-key if it is no recovery key of that site.
    """
    _check_keys(prepared, [key.public])
    signatures = [each for each in prepared.signatures if takeover.parse_signature(each).public != key.public]
    signatures.append(issuing.takeover_signature(key, prepared.words))
    signatures.sort(key=lambda each: takeover.parse_signature(each).public)
    return replace(prepared, signatures=tuple(signatures))


def check_enough(signed: Takeover) -> None:
    """Raise Untrusted takeover-too-few while holders are missing."""
    takeover.check(signed.words, takeover.parse_signatures(list(signed.signatures)), signed.recovery.policy)


def _check_keys(found: Takeover, publics: Sequence[bytes]) -> None:
    policy, words = found.recovery.policy, found.words
    if (words.site_id, words.policy_hash) != (policy.site_id, policy.hash):
        raise Untrusted("takeover-other-policy", "the parts of the file do not belong together")
    if any(sha256(each) not in policy.keys for each in publics):
        raise Untrusted("takeover-unknown-key", f"it is no recovery key of {found.recovery.origin.name}")


def _verified(origin: bytes, policy: bytes) -> Recovery:
    found = Recovery(open_anchor(origin), policy)
    keys = [found.origin.first_public, *(succession.parse(each).sign_public for each in found.origin.successions)]
    if not any(_is_by(found.policy, key) for key in keys):  # whichever key the authority had then
        raise Unverified("cose-signature")
    if found.policy.site_id != found.origin.site_id:
        raise Untrusted("paper-other-site")
    return found


def _is_by(policy: RecoveryPolicy, public: bytes) -> bool:
    return HostSuite().verify(public, *cose.signed(policy.sign1, cose.RECOVERY_POLICY))
