"""A site's authority: the key that signs credentials, grants, bundles and the time, and the key that devices seal to.

Owns: `authority.pem` (ES256) and `authority-ecdh.pem` (ECDH) in the site's folder, their anchor, the change of their
passphrase, and how other keys take their place; `authority-ecdh-N.pem`, the ECDH key before succession N.
Rules: both private keys are encrypted at rest, unlocked only when something must be signed, and never leave this file
but encrypted. What is issued is parsed back first, so nothing leaves that a device would not read.
Must not know: the registry, and who asked for what.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from admit import keyfiles
from admit.suite import HostPrivateKey, HostSuite
from admit_protocol import anchor, bundle, cose, cose_encrypt, credential, grant, issuing, succession
from admit_protocol.anchor import Anchor
from admit_protocol.errors import LocalError, Unverified

MIN_PASSPHRASE = 8  # characters

_SIGN = "authority.pem"
_ECDH = "authority-ecdh.pem"
KEY_FILES = (_SIGN, _ECDH)
_OLDER = "authority-ecdh-{}.pem"

_REPLACING = ".authority-replacing"  # a folder of files that are to stand in the place of those beside it


class Authority:
    """The authority in `folder`; `passphrase` is called once, when its key is first needed."""

    def __init__(self, folder: Path, passphrase: Callable[[], str]):
        finish_replacing(folder)
        self._folder = folder
        self._passphrase = passphrase
        self._keys: dict[str, HostPrivateKey] = {}
        self._said: str | None = None
        self.anchor = keyfiles.load_anchor(folder)

    def __repr__(self) -> str:
        return f"<Authority of site {self.anchor.site_id.hex()}>"

    def unlock(self) -> None:
        """Ask for the passphrase now. Raises LocalError key-passphrase, or authority-other-key for swapped files."""
        self._signing_key()

    def key_files(self) -> dict[str, bytes]:
        """Both key files by their names, encrypted as they are; the passphrase opens both. Raises as `unlock` does."""
        self._signing_key()
        self._private(_ECDH, self.anchor.ecdh_public)
        return {file: keyfiles.read_secret_file(self._folder / file) for file in KEY_FILES}

    def issue_credential(
        self, device_id: str, public: bytes, seal_public: bytes, now: int, test_only: bool = False
    ) -> bytes:
        """The credential of a device for its two keys, 64 bytes each: with one it proves itself, to the other bundles
        for it are sealed; `test_only` if the device says that they are.
        """
        key, kid = self._signing_key(), credential.kid(public)
        data = issuing.credential(key, self.anchor.site_id, device_id, public, kid, now, seal_public, test_only)
        credential.verify(credential.parse(data), self.anchor, HostSuite())
        return data

    def issue_grant(
        self,
        subject: str,
        audience: Sequence[str],
        rules: Sequence[tuple],
        public: bytes,
        now: int,
        sig_public: bytes | None = None,
        not_before: int | None = None,
        expires: int | None = None,
        selectors: Sequence[str] = (),
        delegate: int = 0,
        enrol: int = 0,
    ) -> bytes:
        """A grant with a new random id; the keywords as issuing.grant has them. Raises Malformed for one that no device
        would read.
        """
        key, grant_id = self._signing_key(), HostSuite().random(grant.ID_LENGTH)
        said = (subject, audience, rules, public, now, sig_public, not_before, expires, selectors, delegate, enrol)
        return issuing.grant(key, self.anchor.site_id, grant_id, *said)

    def sign_anew(self, data: bytes) -> bytes:
        """The very words of a grant, signed with the present key."""
        again = cose.sign1(self._signing_key(), cose.parse_sign1(data).payload, cose.GRANT)
        grant.verify_issuer(grant.parse(again), self.anchor.sign_public, self.anchor.site_id, HostSuite())
        return again

    def succeed(self, now: int, ends: int) -> None:
        """Make new keys, under the same passphrase, and have them follow the present ones; what those signed counts
        until `ends`. All files change, or none. The key that signed so far is gone then.

        Raises LocalError succession-many, and as `key_files` does.
        """
        known, number = self.anchor, len(self.anchor.successions) + 1
        if number > succession.MAX_SUCCESSIONS:
            raise LocalError("succession-many", f"a site's authority changes its keys {number - 1} times at most")
        old = self.key_files()
        assert self._said is not None  # key_files has asked for it
        made = {file: keyfiles.make_private_pem(self._said)[0] for file in KEY_FILES}
        new, ecdh = [keyfiles.parse_private_pem(made[file], self._said) for file in KEY_FILES]
        step = succession.sign(self._signing_key(), new, known.site_id, number, ecdh.public, now, ends)
        first = known.first_public, known.first_ecdh_public, known.name
        follows = anchor.Anchor(*first, (*known.successions, step))
        succession.verify_chain(follows, HostSuite())
        kept = {_OLDER.format(number): old[_ECDH], keyfiles.ANCHOR: follows.encode()}
        replace_files(self._folder, made | kept)
        self._keys, self.anchor = {}, follows
        self._signing_key()

    def older_keys(self) -> list[Path]:
        """The files of ECDH keys before the present one, to which something may be sealed still."""
        return sorted(self._folder.glob(_OLDER.format("*")))

    def issue_bundle(self, device_id: str, states: Sequence[tuple]) -> bytes:
        """The bundle that brings a device from any but the last of `states` to that; each as bundle.NOTHING has it."""
        said = issuing.changes(states)
        data = issuing.bundle(self._signing_key(), self.anchor.site_id, device_id, **said)
        bundle.verify(bundle.parse(data), self.anchor, device_id, HostSuite())
        return data

    def issue_notice(self, number: int, devices: Sequence[bytes], now: int) -> bytes:
        """The notice to wallets of which devices, by their fingerprints, no longer count."""
        return issuing.notice(self._signing_key(), self.anchor.site_id, number, now, devices)

    def issue_release(
        self, version: str, sequence: int, rows: Sequence[tuple], said: tuple, now: int, expires: int, image=None
    ) -> bytes:
        """The manifest of a release with these rows of files; `said`: floor, boards, port, bytecode and room, as
        issuing.release has them; `image` too.
        """
        floor, *more = said
        what = (version, sequence, floor, rows, *more, now, expires, image)
        return issuing.release(self._signing_key(), self.anchor.site_id, *what)

    def issue_voucher(
        self, number: int, device_id: str, public: bytes, to: Anchor, previous: bytes | None, now: int, ends: int | None
    ) -> bytes:
        """The voucher by which this site hands a device, and its key (64 bytes), to the site of the anchor `to`."""
        said = (number, device_id, public, self.anchor.site_id, to.encode(), previous, now, ends)
        return issuing.voucher(self._signing_key(), *said)

    def issue_recovery_policy(
        self, number: int, threshold: int, publics: Sequence[bytes], delay_s: int, now: int
    ) -> bytes:
        """Who may take the site's devices over: `threshold` of the holders of these keys, 64 bytes each."""
        said = (number, threshold, publics, delay_s, now)
        return issuing.recovery_policy(self._signing_key(), self.anchor.site_id, *said)

    def renew_recovery_policy(self, data: bytes) -> bytes:
        """A recovery policy that an earlier key of this authority signed, signed by the present one."""
        return issuing.renewed_recovery_policy(self._signing_key(), data)

    def veto_takeover(self, nonce: bytes) -> bytes:
        """The veto, for any device of the site, of the takeover with this nonce."""
        return issuing.takeover_veto(self._signing_key(), self.anchor.site_id, nonce)

    def answer_time(self, device_id: str, nonce: bytes, now: int) -> bytes:
        """The time, for a device that asked for it with `nonce`."""
        return issuing.time_answer(self._signing_key(), self.anchor.site_id, device_id, nonce, now)

    def unseal(self, data: bytes) -> bytes:
        """What a device sealed to this authority, to the keys before the present ones too, as long as they are here.

        Raises what cose_encrypt.unseal does.
        """
        keys = {_ECDH: self.anchor.ecdh_public}
        before = self.anchor.first_ecdh_public
        for number, step in enumerate(map(succession.parse, self.anchor.successions), 1):
            if (self._folder / _OLDER.format(number)).exists():
                keys[_OLDER.format(number)] = before
            before = step.ecdh_public
        for file, public in keys.items():
            try:
                return cose_encrypt.unseal(HostSuite(), self._private(file, public), data)
            except Unverified:
                continue
        raise Unverified("cose-unsealed")

    def _signing_key(self) -> HostPrivateKey:
        return self._private(_SIGN, self.anchor.sign_public)

    def _private(self, file: str, public: bytes) -> HostPrivateKey:
        if file not in self._keys:
            pem = keyfiles.read_secret_file(self._folder / file)
            if self._said is None:
                self._said = self._passphrase()
            key = keyfiles.parse_private_pem(pem, self._said)
            if key.public != public:
                raise LocalError("authority-other-key", f"{file} and the anchor do not belong together")
            self._keys[file] = key
        return self._keys[file]


def create(folder: Path, name: str, passphrase: str) -> Authority:
    """Make a new authority's files in `folder`. Raises LocalError authority-passphrase, anchor-name."""
    check_passphrase(passphrase)
    sign_public, ecdh_public = [keyfiles.make_private_file(folder / file, passphrase) for file in (_SIGN, _ECDH)]
    keyfiles.save_anchor(folder, anchor.Anchor(sign_public, ecdh_public, name))
    return Authority(folder, lambda: passphrase)


def check_passphrase(passphrase: str) -> None:
    """Whether it is long enough for an authority. Raises LocalError authority-passphrase."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise LocalError("authority-passphrase", f"the passphrase needs at least {MIN_PASSPHRASE} characters")


def replace_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put these secret files, the authority's keys among them, in the place of those in `folder`: all or none."""
    for left in folder.glob(f"{_REPLACING}.*"):  # of an attempt that changed nothing
        shutil.rmtree(left)
    building = Path(tempfile.mkdtemp(dir=folder, prefix=f"{_REPLACING}."))
    try:
        for name, data in files.items():
            keyfiles.write_file(building / name, data)
        os.replace(building, folder / _REPLACING)  # from here on it is done, whoever has to finish it
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    finish_replacing(folder)


def finish_replacing(folder: Path) -> None:
    """Do the rest of what replace_files has begun, if it was cut short."""
    begun = folder / _REPLACING
    if not begun.is_dir():
        return
    for file in sorted(begun.iterdir()):
        os.replace(file, folder / file.name)
    begun.rmdir()
