"""What a wallet carries for its site's authority: the newest head of each device's journal, and sealed pages of them.

Owns: the folders `heads/` and `carried/` of a wallet. A head witnesses how long a journal was, and what it said, on a
day when its owner stood before the device. A page is sealed to the authority: its carrier reads nothing of it.
Rules: a head is kept if the device signed it; never an older one in the place of a newer one. Pages wait until they are
handed over.
Must not know: the registry, and what is in a page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from admit import following, keyfiles
from admit.client import Session
from admit.journal_check import Witness
from admit.suite import HostSuite
from admit.wallet import Wallet
from admit_protocol import cbor, coap, credential, journal_reader
from admit_protocol.errors import Malformed, NotFound, Unverified

# GET /bundle
_EPOCH, _PAGE, _HEAD, _NOTICE, _AFTER, _SUCCESSION = 1, 2, 3, 4, 5, 6
_NEVER = 10**9 - 1  # the number of a record that no device reaches
_MAX_PAGES = 8  # in one visit: about 400 records; the next one brings the rest


@dataclass(frozen=True)
class Carried:
    """A sealed page of a device's journal, which begins with record `first` or later, and ends before `after`."""

    file: Path
    device_id: str
    first: int
    after: int

    @property
    def data(self) -> bytes:
        """The sealed page."""
        return self.file.read_bytes()

    def drop(self) -> None:
        """It has been handed over. Where the device's next page begins is remembered."""
        self.file.write_bytes(b"")


@dataclass(frozen=True)
class TakenOut:
    """What a device handed out: so many pages; the epoch of its policy; whether there is more in its journal; how many
    successions it follows.
    """

    pages: int
    epoch: int
    is_all: bool
    successions: int = 0


async def take_out(session: Session, wallet: Wallet, device_id: str, start: int | None = None) -> TakenOut:
    """Take along what a device has for its authority, from record `start` on, or from where the wallet left off.

    Raises what the device says against it, Malformed bundle-answer, and what `keep_head` does.
    """
    known = wallet.device(device_id)
    if known is None:
        raise NotFound("wallet-no-device", f"the wallet has no credential of {device_id}")
    start = next_record(wallet, device_id) if start is None else start
    for pages in range(_MAX_PAGES + 1):
        body = await _heard(session, wallet, start)
        epoch, after = [cbor.expect(body.get(key), int, "bundle-answer") for key in (_EPOCH, _AFTER)]
        head = cbor.expect(body.get(_HEAD), bytes, "bundle-answer")
        if body.get(_NOTICE) is not None and not pages:
            wallet.take_notice(cbor.expect(body[_NOTICE], bytes, "bundle-answer"))
        end = keep_head(wallet, known, head)
        if body.get(_PAGE) is None or pages == _MAX_PAGES:
            break
        if not start < after <= end:
            raise Malformed("bundle-answer", "the device's pages do not join")
        _keep_page(wallet, device_id, start, after, cbor.expect(body[_PAGE], bytes, "bundle-answer"))
        start = after
    followed = cbor.expect(body.get(_SUCCESSION, 0), int, "bundle-answer")
    return TakenOut(pages, epoch, body.get(_PAGE) is None, followed)


async def witness(session: Session, wallet: Wallet, device_id: str) -> None:
    """Take nothing along but the newest head, and the authority's notice to all. Raises what `take_out` does."""
    known, body = wallet.device(device_id), await _heard(session, wallet, _NEVER)
    if body.get(_NOTICE) is not None:
        wallet.take_notice(cbor.expect(body[_NOTICE], bytes, "bundle-answer"))
    if known is not None:
        keep_head(wallet, known, cbor.expect(body.get(_HEAD), bytes, "bundle-answer"))


async def held_epoch(session: Session) -> int:
    """The epoch of the policy that a device holds."""
    return cbor.expect((await _ask(session, _NEVER)).get(_EPOCH), int, "bundle-answer")


async def _heard(session: Session, wallet: Wallet, start: int) -> dict:
    """What the device tells; if it follows the authority further than the wallet does, that follows first."""
    body = await _ask(session, start)
    await following.catch_up(session, wallet, body.get(_SUCCESSION, 0))
    return body


async def _ask(session: Session, start: int) -> dict:
    response = await session.request(coap.GET, "/bundle", query=f"from={start}")
    return cbor.expect(cbor.decode(response.payload), dict, "bundle-answer")


def keep_head(wallet: Wallet, known: credential.Credential, signed: bytes) -> int:
    """Keep the head that a device showed; how many records it counts.

    Raises Malformed; Unverified cose-signature, journal-other-device, and journal-rolled-back or journal-rewritten if
    the wallet has seen more of this very device, or something else.
    """
    end = journal_reader.parse_head(signed)
    journal_reader.verify_head(end, known.public, known.device_id, HostSuite())
    file = _folder(wallet, "heads") / f"{known.device_id.encode().hex()}.cose"
    if file.is_file() and (kept := _same_key(file.read_bytes(), known)) is not None:
        if end.count < kept.count:
            raise Unverified("journal-rolled-back", f"{kept.count} records were seen before, now there are {end.count}")
        if end.count == kept.count:
            if end.head != kept.head:
                raise Unverified("journal-rewritten", f"the first {end.count} records are not those seen before")
            return end.count
    keyfiles.write_file(file, signed)
    return end.count


def heads(wallet: Wallet, where: str = "") -> list[Witness]:
    """The heads that a wallet keeps; `where`: how people call the wallet."""
    found = sorted((wallet.folder / "heads").glob("*.cose"))
    return [
        Witness(_device_id(file.stem), file.read_bytes(), where or f"{wallet.folder.name}'s wallet") for file in found
    ]


def pages(wallet: Wallet) -> list[Carried]:
    """The pages that wait to be handed over, by device and number."""
    return [each for each in _all_pages(wallet) if each.file.stat().st_size]


def next_record(wallet: Wallet, device_id: str) -> int:
    """The number of the first record of a device that the wallet never took along."""
    folder = _page_folder(wallet, device_id)
    return max((each.after for each in _all_pages(wallet) if each.file.parent == folder), default=0)


def _all_pages(wallet: Wallet) -> Iterator[Carried]:
    for file in sorted((wallet.folder / "carried").glob("*/*.cose")):
        first, _, after = file.stem.partition("-")
        if first.isdigit() and after.isdigit():
            yield Carried(file, _device_id(file.parent.name.partition("-")[0]), int(first), int(after))


def _keep_page(wallet: Wallet, device_id: str, first: int, after: int, data: bytes) -> None:
    folder = _page_folder(wallet, device_id)
    folder.mkdir(mode=0o700, exist_ok=True)
    keyfiles.write_file(folder / f"{first:010}-{after:010}.cose", data)
    for each in _all_pages(wallet):  # the marks of what was handed over long ago
        if each.file.parent == folder and each.after < after and not each.file.stat().st_size:
            each.file.unlink()


def _page_folder(wallet: Wallet, device_id: str) -> Path:
    """Where the pages of a device lie: of that identity alone, since with a new key a journal begins anew."""
    known = wallet.device(device_id)
    key = keyfiles.fingerprint(known.public) if known else ""
    return _folder(wallet, "carried") / f"{device_id.encode().hex()}-{key}"


def _same_key(signed: bytes, known: credential.Credential) -> journal_reader.Head | None:
    """A head that was kept, if it is of the same identity: a device may have been given a new key since."""
    try:
        kept = journal_reader.parse_head(signed)
        journal_reader.verify_head(kept, known.public, known.device_id, HostSuite())
    except (Malformed, Unverified):
        return None
    return kept


def _folder(wallet: Wallet, name: str) -> Path:
    folder = wallet.folder / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _device_id(name: str) -> str:
    try:
        return bytes.fromhex(name).decode()
    except ValueError:
        return name
