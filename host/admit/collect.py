"""What is carried between devices, wallets and the site's registry: policy in, journal out."""

from collections.abc import Iterator

from admit import carrying, journal_store
from admit.client import Session
from admit.journal_check import Witness
from admit.journal_store import Collected, Page
from admit.site import Site
from admit.wallet import Wallet
from admit_protocol import coap, journal_reader
from admit_protocol.errors import AdmitError, Malformed

MAX_PAGES = 1000


async def deliver_bundle(session: Session, sealed: bytes) -> None:
    """Hand a policy bundle to the device, which then holds it. Raises what the device says against it."""
    await session.request(coap.POST, "/bundle", sealed)


async def fetch_journal(session: Session, start: int) -> Page:
    """The records from `start` on as the device tells them, in one page; it begins later if the device dropped that.

    Nothing is verified here.
    """
    whole = await _page(session, start)
    records, signed = list(whole.records), whole.signed
    for _ in range(MAX_PAGES):
        if whole.first + len(records) >= journal_reader.parse_head(signed).count:
            return Page(whole.first, whole.base, records, signed)
        more = await _page(session, whole.first + len(records))
        if more.first != whole.first + len(records) or not more.records:
            raise Malformed("journal-page", "the device's pages do not join")
        records += more.records
        signed = more.signed
    raise Malformed("journal-page", "the journal grows faster than it is read")


async def _page(session: Session, start: int) -> Page:
    response = await session.request(coap.GET, "/journal", query=f"from={start}")
    return journal_store.parse_page(response.payload)


def accept_carried(site: Site, unseal, now: int) -> tuple[list[Collected], list[tuple[carrying.Carried, AdmitError]]]:
    """Keep what the site's own wallets have carried here: what was collected, and which pages could not be, and why.

    What was collected leaves the wallet. `unseal`: the authority's.
    """
    done, missed = [], []
    for wallet in wallets(site):
        for page in carrying.pages(wallet):
            try:
                done.append(journal_store.accept(site.registry, page.data, unseal, now))
                page.drop()
            except AdmitError as error:
                missed.append((page, error))
    return done, missed


def witnesses(site: Site) -> list[Witness]:
    """What the site's own wallets have seen of its devices' journals."""
    return [head for wallet in wallets(site) for head in carrying.heads(wallet)]


def wallets(site: Site) -> Iterator[Wallet]:
    """The wallets that are kept in the site's folder."""
    for folder in sorted((site.folder / "wallets").glob("*")):
        if (folder / "public.pem").is_file():
            yield Wallet(folder)
