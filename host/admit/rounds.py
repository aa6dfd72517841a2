"""A courier's round: sealed bundles that a wallet brings to devices, and what it brings home to their authority.

Owns: the folder `round/` of a wallet, and when what lies in it has arrived. A wallet that has one is a courier's: it
takes the sealed journal of each device along, too.
Rules: a bundle leaves the wallet when its device holds it or a newer one, and not before.
Must not know: what is in a bundle or in a page. Nobody but the device, and the authority, can.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from admit import carrying, journal_store, keyfiles
from admit.client import Session
from admit.collect import deliver_bundle
from admit.journal_store import Collected
from admit.wallet import Wallet
from admit_protocol.errors import AdmitError

if TYPE_CHECKING:  # as in journal_store
    from admit.registry import Registry

_ARRIVED = "bundle-stale"  # the device has it already, or what came after it


def take(wallet: Wallet, bundles: dict[str, list[bytes]]) -> None:
    """Take the bundles of a courier's file (couriers.decode) along, in the place of those taken before."""
    for device_id, some in bundles.items():
        folder = _folder(wallet, device_id)
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        for file in waiting(wallet, device_id):
            file.unlink()
        for number, data in enumerate(some):
            keyfiles.write_file(folder / f"{number:03}.cose", data)


def waiting(wallet: Wallet, device_id: str) -> list[Path]:
    """The bundles that wait for a device, in the order in which it takes them."""
    return sorted(_folder(wallet, device_id).glob("*.cose"))


def is_courier(wallet: Wallet) -> bool:
    """Has this wallet ever taken a round?"""
    return (wallet.folder / "round").is_dir()


async def bring(session: Session, wallet: Wallet, device_id: str) -> int:
    """Hand in what waits for the device, and take its journal along; how many bundles it had not heard of.

    Raises what the device says against a bundle, which then stays, and what carrying.take_out does.
    """
    brought = 0
    for file in waiting(wallet, device_id):
        try:
            await deliver_bundle(session, file.read_bytes())
            brought += 1
        except AdmitError as error:
            if error.reason != _ARRIVED:
                raise
        file.unlink()
    await carrying.take_out(session, wallet, device_id)
    return brought


def home(wallet: Wallet) -> list[carrying.Carried]:
    """The sealed pages that the wallet has for the authority."""
    return carrying.pages(wallet)


def unpack(
    registry: "Registry", pages: list[bytes], unseal: Callable[[bytes], bytes], now: int
) -> Iterator[tuple[int, Collected | AdmitError]]:
    """Keep each page that a courier brought home, or say why not: (its number, what came of it)."""
    for number, sealed in enumerate(pages):
        try:
            yield number, journal_store.accept(registry, sealed, unseal, now)
        except AdmitError as error:
            yield number, error


def _folder(wallet: Wallet, device_id: str) -> Path:
    return wallet.folder / "round" / device_id.encode().hex()
