"""A user's wallet: their own keys, the site's anchor, their grants, and the devices that they have met.

Owns: the folder of one user, `login.pem` (static Diffie-Hellman), `sign.pem` (ES256), `public.pem` (both, to be handed
to an admin), `anchor.cbor`, `grants/`, `devices/`.
Rules: the private keys are made here, 0600, and stay here; what is kept about others was verified first.
Must not know: the registry, and the authority's private keys. A user's laptop has a wallet and nothing else.
"""

from pathlib import Path

from admit import keyfiles
from admit.suite import HostPrivateKey, HostSuite
from admit_protocol import credential, grant, standing
from admit_protocol.anchor import Anchor
from admit_protocol.errors import Conflict, Malformed, NotFound, Unsupported, Untrusted

_LOGIN = "login.pem"
_SIGN = "sign.pem"
_PUBLIC = "public.pem"


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
    def anchor(self) -> Anchor:
        """The anchor of the user's site. Raises NotFound file-missing before there is one."""
        return keyfiles.load_anchor(self.folder)

    def trust(self, anchor: Anchor) -> None:
        """Take `anchor` as the user's site; it came by a way that the user believes."""
        keyfiles.save_anchor(self.folder, anchor)

    def accept(self, anchor: Anchor, data: bytes) -> grant.Grant:
        """Take an invitation: its grant, and its anchor if it is the wallet's first. Again is as good as once.

        Nothing is kept unless all of it fits. Raises Conflict wallet-other-site, and what `add_grant` does.
        """
        is_first = not (self.folder / keyfiles.ANCHOR).exists()
        if not is_first and self.anchor.site_id != anchor.site_id:
            raise Conflict("wallet-other-site", f"this wallet is for the site {self.anchor.name}, not {anchor.name}")
        self._check(grant.parse(data), anchor)
        if is_first:
            self.trust(anchor)
        return self.add_grant(data)

    def add_grant(self, data: bytes) -> grant.Grant:
        """Keep a grant for this wallet's key. Raises what grant.verify_issuer does, or Untrusted wallet-other-key."""
        given = grant.parse(data)
        self._check(given, self.anchor)
        self._keep("grants", f"{given.id.hex()}.cwt", data)
        return given

    def grants(self) -> list[grant.Grant]:
        """Every grant kept, the newest first."""
        files = sorted((self.folder / "grants").glob("*.cwt"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        return [_read(file, grant.parse) for file in files]

    def grant_for(self, device_id: str, now: int) -> grant.Grant:
        """The newest grant that counts on `device_id` at `now`. Raises why the nearest does not, or wallet-no-grant."""
        refusal: Exception = NotFound("wallet-no-grant", f"no grant for {device_id}")
        for given in self.grants():
            if not standing.is_for(given, device_id):
                continue
            try:
                standing.check(given, device_id, now, ())
            except Untrusted as error:
                refusal = error
            else:
                return given
        raise refusal

    def drop_grant(self, grant_id: bytes) -> None:
        """Forget a grant, if it is there."""
        (self.folder / "grants" / f"{grant_id.hex()}.cwt").unlink(missing_ok=True)

    def add_device(self, data: bytes) -> credential.Credential:
        """Keep a device's credential. Raises what credential.verify does."""
        known = credential.parse(data)
        credential.verify(known, self.anchor, HostSuite())
        self._keep("devices", f"{known.device_id.encode().hex()}.cwt", data)
        return known

    def device(self, device_id: str) -> credential.Credential | None:
        """The kept credential of a device, or None."""
        file = self.folder / "devices" / f"{device_id.encode().hex()}.cwt"
        return _read(file, credential.parse) if file.is_file() else None

    def drop_device(self, device_id: str) -> None:
        """Forget a device's credential, if it is there."""
        (self.folder / "devices" / f"{device_id.encode().hex()}.cwt").unlink(missing_ok=True)

    def _check(self, given: grant.Grant, anchor: Anchor) -> None:
        grant.verify_issuer(given, anchor.sign_public, anchor.site_id, HostSuite())
        if given.key != self.publics[0]:
            raise Untrusted("wallet-other-key", "the grant is for another key")

    def _private(self, file: str) -> HostPrivateKey:
        return keyfiles.parse_private_pem(keyfiles.read_secret_file(self.folder / file))

    def _keep(self, folder: str, file: str, data: bytes) -> None:
        (self.folder / folder).mkdir(mode=0o700, exist_ok=True)
        keyfiles.write_file(self.folder / folder / file, data)


def _read(file: Path, parse):
    """What is kept in a file. Raises Malformed wallet-damaged, which names the file."""
    try:
        return parse(file.read_bytes())
    except (Malformed, Unsupported) as error:
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
