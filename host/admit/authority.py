"""A site's authority: the key that signs device credentials, grants and bundles, and the key that devices seal to.

Owns: `authority.pem` (ES256) and `authority-ecdh.pem` (ECDH) in the site's folder, and their anchor.
Rules: both private keys are encrypted at rest, unlocked only when something must be signed, and never leave this file.
What is issued is parsed back first, so nothing leaves that a device would not read.
Must not know: the registry, and who asked for what.
"""

from collections.abc import Callable
from pathlib import Path

from admit import keyfiles
from admit.suite import HostPrivateKey, HostSuite
from admit_protocol import anchor, bundle, credential, grant, issuing
from admit_protocol.errors import LocalError

MIN_PASSPHRASE = 8  # characters

_SIGN = "authority.pem"
_ECDH = "authority-ecdh.pem"


class Authority:
    """The authority in `folder`; `passphrase` is called once, when its key is first needed."""

    def __init__(self, folder: Path, passphrase: Callable[[], str]):
        self._folder = folder
        self._passphrase = passphrase
        self._key: HostPrivateKey | None = None
        self.anchor = keyfiles.load_anchor(folder)

    def __repr__(self) -> str:
        return f"<Authority of site {self.anchor.site_id.hex()}>"

    def unlock(self) -> None:
        """Ask for the passphrase now. Raises LocalError key-passphrase, or authority-other-key for swapped files."""
        self._signing_key()

    def issue_credential(self, device_id: str, public: bytes, now: int, test_only: bool = False) -> bytes:
        """The credential of a device; `public` is its key, 64 bytes; `test_only` if the device says that the key is."""
        site_id, kid = self.anchor.site_id, credential.kid(public)
        data = issuing.credential(self._signing_key(), site_id, device_id, public, kid, now, test_only)
        credential.verify(credential.parse(data), self.anchor, HostSuite())
        return data

    def issue_grant(
        self,
        subject: str,
        audience: list[str],
        rules: list[tuple],
        public: bytes,
        now: int,
        sig_public: bytes | None = None,
        not_before: int | None = None,
        expires: int | None = None,
    ) -> bytes:
        """A grant with a new random id. Raises Malformed for one that no device would read."""
        key, grant_id = self._signing_key(), HostSuite().random(grant.ID_LENGTH)
        more = {"sig_public": sig_public, "not_before": not_before, "expires": expires}
        return issuing.grant(key, self.anchor.site_id, grant_id, subject, audience, rules, public, now, **more)

    def issue_bundle(self, device_id: str, epoch: int, revoked: list[bytes], now: int) -> bytes:
        """The bundle that tells a device which grants (8-byte ids) no longer count."""
        data = issuing.bundle(self._signing_key(), self.anchor.site_id, device_id, epoch, revoked, now)
        bundle.verify(bundle.parse(data), self.anchor, device_id, HostSuite())
        return data

    def _signing_key(self) -> HostPrivateKey:
        if self._key is None:
            pem = keyfiles.read_secret_file(self._folder / _SIGN)
            key = keyfiles.parse_private_pem(pem, self._passphrase())
            if key.public != self.anchor.sign_public:
                raise LocalError("authority-other-key", f"{_SIGN} and the anchor do not belong together")
            self._key = key
        return self._key


def create(folder: Path, name: str, passphrase: str) -> Authority:
    """Make a new authority's files in `folder`. Raises LocalError authority-passphrase, anchor-name."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise LocalError("authority-passphrase", f"the passphrase needs at least {MIN_PASSPHRASE} characters")
    sign_public, ecdh_public = [keyfiles.make_private_file(folder / file, passphrase) for file in (_SIGN, _ECDH)]
    keyfiles.save_anchor(folder, anchor.Anchor(sign_public, ecdh_public, name))
    return Authority(folder, lambda: passphrase)
