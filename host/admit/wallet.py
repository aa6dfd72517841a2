"""A user's wallet: their own keys, the site's anchor, their grants, and the devices that they have met.

Owns: the folder of one user, `login.pem` (static Diffie-Hellman), `sign.pem` (ES256), `public.pem` (both, to be handed
to an admin), `anchor.cbor`, `notice.cbor`, `grants/` (a delegation with those behind it), `devices/`.
Rules: the private keys are made here, 0600, and stay here; what is kept about others was verified first.
Must not know: the registry, and the authority's private keys. A user's laptop has a wallet and nothing else.
"""

from collections.abc import Sequence
from pathlib import Path

from admit import following, invitation, keyfiles
from admit.suite import HostPrivateKey, HostSuite
from admit_protocol import cose, credential, delegation, grant, notice, rule, standing
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Conflict, Malformed, NotFound, Unsupported, Untrusted, Unverified

_LOGIN = "login.pem"
_SIGN = "sign.pem"
_PUBLIC = "public.pem"
_NOTICE = "notice.cbor"


class Wallet:
    """The wallet in `folder`, which must exist. Raises NotFound wallet-missing."""

    def __init__(self, folder: Path):
        if not (folder / _PUBLIC).is_file():
            raise NotFound("wallet-missing", f"no wallet in {folder}")
        self.folder = folder

    def __repr__(self) -> str:
        return f"<Wallet of {self.folder.name}>"

    @property
    def login_key(self) -> HostPrivateKey:
        """The key that proves the user to a device."""
        return self._private(_LOGIN)

    @property
    def sign_key(self) -> HostPrivateKey:
        """The key with which the user signs."""
        return self._private(_SIGN)

    @property
    def publics(self) -> list[bytes]:
        """The public keys, 64 bytes each: login, then signing."""
        return keyfiles.parse_public_pem(keyfiles.read_file(self.folder / _PUBLIC).decode())

    @property
    def fingerprint(self) -> str:
        """The name of the key that proves the user."""
        return keyfiles.fingerprint(self.publics[0])

    @property
    def anchor(self) -> Anchor:
        """The anchor of the user's site. Raises NotFound file-missing before there is one."""
        return keyfiles.load_anchor(self.folder)

    def trust(self, anchor: Anchor) -> None:
        """Take `anchor` as the user's site; it came by a way that the user believes."""
        keyfiles.save_anchor(self.folder, anchor)

    @property
    def successions(self) -> tuple[bytes, ...]:
        """Those by which the authority came to the keys that the wallet trusts; () also if it trusts none yet."""
        return self.anchor.successions if (self.folder / keyfiles.ANCHOR).exists() else ()

    def follow(self, anchor: Anchor) -> bool:
        """Trust the present keys of `anchor`, which was verified, if they follow from those trusted so far; whether it
        led further. Raises what following.further does.
        """
        found = following.further(self.anchor, anchor)
        if found is not None:
            self.trust(found)
        return found is not None

    def meets(self, anchor: Anchor) -> bool:
        """Whether the wallet has an anchor, which is this then. Raises Conflict wallet-other-site if it is another."""
        if not (self.folder / keyfiles.ANCHOR).exists():
            return False
        if self.anchor.site_id != anchor.site_id:
            raise Conflict("wallet-other-site", f"this wallet is for the site {self.anchor.name}, not {anchor.name}")
        return True

    def accept(self, anchor: Anchor, data: bytes, parents: Sequence[bytes] = ()) -> grant.Grant:
        """Take an invitation: its grant, with those behind it, and its anchor if it is the wallet's first.

        Again is as good as once.

        Nothing is kept unless all of it fits. Raises Conflict wallet-other-site, what `add_grant` does, and, if the
        authority has changed its keys, following.verified and .further.
        """
        told = following.verified(anchor.encode())
        kept = self.anchor if self.meets(anchor) else None
        newest = told if kept is None else following.further(kept, told) or kept
        self._verified(data, parents, newest)
        if newest is not kept:
            self.trust(newest)
        return self.add_grant(data, parents)

    def add_grant(self, data: bytes, parents: Sequence[bytes] = ()) -> grant.Grant:
        """Keep a grant for this wallet's key; `parents`: those behind a delegation, nearest first.

        Raises what delegation.verify_chain does, or Untrusted wallet-other-key.
        """
        given = self._verified(data, parents, self.anchor)
        self._keep("grants", f"{given.id.hex()}.cwt", data + b"".join(parents))
        return given

    def grants(self) -> list[grant.Grant]:
        """Every grant kept, the newest first."""
        files = sorted((self.folder / "grants").glob("*.cwt"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        return [_read(file, _linked) for file in files]

    def grant_for(self, device_id: str, now: int, request: tuple[int, str, dict | None] | None = None) -> grant.Grant:
        """The first of `grants_for`."""
        return self.grants_for(device_id, now, request)[0]

    def grants_for(
        self, device_id: str, now: int, request: tuple[int, str, dict | None] | None = None
    ) -> list[grant.Grant]:
        """The grants that count on `device_id` at `now`, the newest first; for a `request` (method bit, path,
        arguments) those that allow it, as the device decides it if all is done that still can be, or else the one that
        comes nearest. Raises why none counts, or wallet-no-grant.
        """
        found, refusal = [], None
        for given in self.grants():
            if not standing.is_for(given, device_id):
                continue
            try:
                for link in (given, *given.chain):
                    standing.check(link, device_id, (now, now), ())
                found.append(given)
            except Untrusted as error:
                refusal = error
        if not found:
            raise refusal or NotFound("wallet-no-grant", f"no grant for {device_id}")
        return found if request is None else _nearest(found, request, now)

    def drop_grant(self, grant_id: bytes) -> None:
        """Forget a grant, if it is there."""
        (self.folder / "grants" / f"{grant_id.hex()}.cwt").unlink(missing_ok=True)

    def add_device(self, data: bytes, is_vouched: bool = False) -> credential.Credential:
        """Keep a device's credential. Raises what following.verify_credential does, unless one vouches for it."""
        known = credential.parse(data)
        if not is_vouched:
            following.verify_credential(known, self.anchor)
        self._keep("devices", f"{known.device_id.encode().hex()}.cwt", data)
        return known

    def device(self, device_id: str) -> credential.Credential | None:
        """The kept credential of a device, or None."""
        file = self.folder / "devices" / f"{device_id.encode().hex()}.cwt"
        return _read(file, credential.parse) if file.is_file() else None

    def met(self) -> list[str]:
        """The names of the devices whose credentials are kept."""
        return sorted(bytes.fromhex(file.stem).decode() for file in (self.folder / "devices").glob("*.cwt"))

    def drop_device(self, device_id: str) -> None:
        """Forget a device's credential, if it is there."""
        (self.folder / "devices" / f"{device_id.encode().hex()}.cwt").unlink(missing_ok=True)

    def take_notice(self, data: bytes) -> None:
        """Keep what the authority tells everybody, if it is newer than what is kept, and its present key signed it; of
        the key before it is passed over. Raises what notice.verify does.
        """
        told, anchor = notice.parse(data), self.anchor
        try:
            notice.verify(told, anchor, HostSuite())
        except Unverified:
            if anchor.previous is None:
                raise
            return cose.verify_sign1(told.sign1, anchor.previous, cose.NOTICE, HostSuite())
        kept = self.newest_notice
        if kept is None or told.number > kept.number:
            keyfiles.write_file(self.folder / _NOTICE, data)

    @property
    def newest_notice(self) -> notice.Notice | None:
        """The newest notice that was met with, or None."""
        file = self.folder / _NOTICE
        return _read(file, notice.parse) if file.is_file() else None

    def is_struck_off(self, known: credential.Credential) -> bool:
        """Has the authority told that this key of a device no longer counts?"""
        told = self.newest_notice
        return told is not None and notice.fingerprint(known.public) in told.devices

    def check_device(self, known: credential.Credential) -> None:
        """Raise Untrusted device-struck-off if the authority has told that this device no longer counts."""
        if self.is_struck_off(known):
            raise Untrusted("device-struck-off", f"the site has struck off {known.device_id}: it may be in wrong hands")

    def _verified(self, data: bytes, parents: Sequence[bytes], anchor: Anchor) -> grant.Grant:
        chain = [grant.parse(each) for each in (data, *parents)]
        key, before = anchor.sign_public, following.previous(anchor)
        given = delegation.verify_chain(chain, key, anchor.site_id, HostSuite(), before)
        if given.key != self.publics[0]:
            raise Untrusted("wallet-other-key", "the grant is for another key")
        return given

    def _private(self, file: str) -> HostPrivateKey:
        return keyfiles.parse_private_pem(keyfiles.read_secret_file(self.folder / file))

    def _keep(self, folder: str, file: str, data: bytes) -> None:
        (self.folder / folder).mkdir(mode=0o700, exist_ok=True)
        keyfiles.write_file(self.folder / folder / file, data)


class _Hope:
    """The state of a device at which nothing was used up, and all is shown and approved that can be."""

    presence = rule.CODE | rule.BUTTON

    def used(self, key) -> int:
        return 0

    def recent(self, key, seconds: int) -> int:
        return 0

    def approved(self, selectors) -> int:
        return 1 << 32

    def policy_age(self, moment) -> int:
        return 0


def _nearest(grants: list[grant.Grant], request: tuple[int, str, dict | None], now: int) -> list[grant.Grant]:
    def nearness(given: grant.Grant) -> int:
        decision = rule.decide(rule.subject_of(given), None, request, (now, now), _Hope())
        return rule.REASONS.index(decision.reason)

    best = max(map(nearness, grants))
    found = [given for given in grants if nearness(given) == best]
    return found if best == rule.REASONS.index("rule-allows") else found[:1]


def _linked(data: bytes) -> grant.Grant:
    """The grant in a file, with its chain; it was verified when it was put there."""
    *children, linked = [grant.parse(each) for each in invitation.split(data)]
    for child in reversed(children):
        linked = delegation.prepare(child, linked)[0]
    return linked


def _read(file: Path, parse):
    """What is kept in a file. Raises Malformed wallet-damaged, which names the file."""
    try:
        return parse(file.read_bytes())
    except (Malformed, Unsupported, Untrusted) as error:
        raise Malformed("wallet-damaged", f"{file} cannot be read: {error.reason}") from None


def create(folder: Path, anchor: Anchor | None = None) -> Wallet:
    """Make a new wallet with new keys. Raises Conflict file-exists.

    `public.pem` is written last: without it there is no wallet, and a torn one is made anew.
    """
    if not (folder.is_dir() and not (folder / _PUBLIC).exists()):
        keyfiles.make_folder(folder)
    publics = [keyfiles.make_private_file(folder / file) for file in (_LOGIN, _SIGN)]
    if anchor:
        keyfiles.save_anchor(folder, anchor)
    keyfiles.write_file(folder / _PUBLIC, keyfiles.public_pem(*publics).encode(), secret=False)
    return Wallet(folder)
