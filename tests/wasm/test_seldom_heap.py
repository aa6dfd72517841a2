"""The heap of a 32-bit board in what is rarer than a visit: invites, pairing, approvals, presence, a policy of rules,
a change of owner or of the key, the end.

Where a second person takes part, both sessions are open. `-s` shows the figures.
"""

import asyncio
import time

from admit import (
    admin,
    approving,
    ending,
    enrolling,
    fetching,
    invites,
    ownership,
    presence,
    rotating,
    succeeding,
    takeovers,
    taking_over,
    wallet,
)
from admit.collect import deliver_bundle
from admit.connection import Connection
from admit.sharing import Wish
from admit.suite import HostSuite
from admit.visit import visit
from admit_protocol import bundle, cbor, coap, cose_encrypt, invite, rule
from kiosks import authority, make_site
from wasm import updates
from wasm.boards import SELDOM_HEAP, install, powered
from wasm.test_heap import join

DOOR = "/r/open"
RULES = 8  # of the policy
ARGUMENTS = {"seconds": 1}


def test_what_is_rare_fits_a_heap_of_116_kb(tmp_path, capsys):
    figures = asyncio.run(life(tmp_path))
    with capsys.disabled():
        print()
        for what, figure in figures.items():
            print(f"{figure:>8} bytes at most, {what}")
    assert max(figures.values()) <= SELDOM_HEAP


async def life(folder):
    """Bytes of heap at most in each act, with the power off before."""
    firmware = install(folder / "firmware")
    site = make_site(folder / "site")
    give(site, "dana", {rule.APPROVALS: [1, ["group:guards"]]})
    give(site, "gina", {}, "/r/nothing", ["group:guards"])
    give(site, "fay", {rule.PRESENCE: rule.CODE})
    async with powered(firmware) as board:
        await join(site, board)
        files = (await board.do("save"))["files"]
    figures = {}
    acts = {
        "an invite": redeem,
        "pairing": pair,
        "an approval": approve,
        "presence": be_there,
        "a policy": bring_rules,
        "a visit under it": open_door,
        "an update": updates.update,
        "a change of owner": change_hands,
        "a takeover": take_over,
        "the end": wipe,
        "a change of key": change_key,
        "new keys of the authority": succeed,
    }
    for what, act in acts.items():
        async with powered(firmware, files | updates.FILES) as board:
            await board.settle()
            board.most = 0
            await act(site, board)
            figures[what] = board.most
            if what == "a policy":
                files = (await board.do("save"))["files"]
    return figures


def give(site, user, conditions, path=DOOR, selectors=()):
    """A grant for kiosk-1 whose rule has conditions."""
    now = int(time.time()) - 10
    admin.add_user(site, user, None, now)
    owner = site.wallet(user)
    login, sign = owner.publics
    rules = [(path, 2, conditions)]
    owner.add_grant(authority(site).issue_grant(user, ["kiosk-1"], rules, login, now, sign, selectors=selectors))


async def invoke(session):
    body = cbor.encode({1: time.time_ns().to_bytes(8, "big"), 2: ARGUMENTS})
    assert (await session.request(coap.POST, DOOR, body)).code == coap.CHANGED


async def redeem(site, board):
    """Somebody new is let in by a link, and opens the door."""
    secret, now = bytes(range(16)), int(time.time()) - 10
    public = invite.key(secret, HostSuite()).public
    signer = authority(site)
    data = signer.issue_grant("guest", ["kiosk-1"], [(DOOR, 3, {})], public, now, delegate=1, enrol=1)
    owner, link = wallet.create(site.folder / "zoe"), invites.Link(secret, site.anchor.site_id, data)
    async with enrolling.arrive(board.transport("ble", 0), owner, "kiosk-1", link.site_id) as (session, anchor):
        await enrolling.redeem(session, anchor, owner, link, "Zoe")
        await invoke(session)


async def pair(site, board):
    """An admin lets in somebody new beside them."""
    owner, where = wallet.create(site.folder / "yan"), ("kiosk-1", site.anchor.site_id)
    async with enrolling.arrive(board.transport("ble", 0), owner, *where) as (newcomer, anchor):
        code = await enrolling.ask(newcomer, owner, "Yan")
        async with visit(board.transport("ble", 1), site.wallet("admin"), "kiosk-1") as session:
            (found,) = await enrolling.newcomers(session)
            wish = Wish("Yan", owner.publics, [(DOOR, 2, {})], ["kiosk-1"])
            await enrolling.pair(session, site.wallet("admin"), "kiosk-1", found, code, wish)
        assert await enrolling.wait(newcomer, anchor, owner)


async def approve(site, board):
    """Dana asks for consent, Gina gives it, Dana opens the door."""
    async with visit(board.transport("ble", 0), site.wallet("dana"), "kiosk-1") as asking:
        await approving.ask(asking, 2, DOOR, ARGUMENTS)
        async with visit(board.transport("ble", 1), site.wallet("gina"), "kiosk-1") as session:
            (request,) = await approving.pending(session)
            await approving.approve(session, site.wallet("gina"), "kiosk-1", request)
        await invoke(asking)


async def be_there(site, board):
    """Fay reads the code that the kiosk shows."""
    async with visit(board.transport("ble", 0), site.wallet("fay"), "kiosk-1") as session:
        await presence.ask_code(session)
        shown = [line.split()[1] for line in board.console if line.startswith("code ")]
        await presence.tell_code(session, shown[-1])
        await invoke(session)


async def bring_rules(site, board):
    """A courier brings a policy."""
    now = int(time.time())
    rules = [[rule.DENY, [f"group:g{n}"], ["user:admin"], "/r/lamp*", 2, {}, f"night-{n}"] for n in range(RULES)]
    policy = (1, now, bytes(range(80)), ["user:mallory"], rules, None)
    plain = authority(site).issue_bundle("kiosk-1", [bundle.NOTHING, policy])
    sealed = cose_encrypt.seal(HostSuite(), site.wallet("admin").device("kiosk-1").seal_public, plain)
    async with visit(board.transport("ble", 0), site.wallet("alice"), "kiosk-1") as session:
        await deliver_bundle(session, sealed)


async def open_door(site, board):
    async with visit(board.transport("ble", 0), site.wallet("alice"), "kiosk-1") as session:
        await session.request(coap.POST, "/login")
        await invoke(session)
        await session.request(coap.DELETE, "/login")


async def change_hands(site, board):
    """Another site fetches the kiosk, by radio, and proves it."""
    other = make_site(site.folder.parent / "other")
    parcel = ownership.give(site, authority(site), "kiosk-1", other.anchor, int(time.time()))
    async with Connection(board.transport("ble", 0)) as connection:
        owner = authority(other), other.wallet("admin")
        await fetching.fetch(connection, other, *owner, parcel, "kiosk-1", lambda words: None)


async def take_over(site, board):
    """The kiosk hears of recovery keys, three holders sign a takeover, which begins, and an admin vetoes it."""
    keys, now, admins = [HostSuite().generate() for _ in range(3)], int(time.time()), site.wallet("admin")
    recovery = takeovers.set_keys(site, authority(site), [key.public for key in keys], 3, 86400, now)
    async with visit(board.transport("ble", 0), admins, "kiosk-1") as session:
        await taking_over.keep_up(session, site, authority(site), "kiosk-1", now)
        await session.request(coap.DELETE, "/login")  # the session's end
    prepared = takeovers.prepare(recovery, make_site(site.folder.parent / "next").anchor, None, now, now + 9999)
    for key in keys:
        prepared = takeovers.sign(prepared, key)
    async with Connection(board.transport("ble", 1)) as connection:
        await taking_over.begin(connection, prepared, "kiosk-1", HostSuite().generate())
    async with visit(board.transport("ble", 2), admins, "kiosk-1") as session:
        await taking_over.veto(session)


async def wipe(site, board):
    """An admin ends it; it has not started again yet."""
    async with visit(board.transport("ble", 0), site.wallet("admin"), "kiosk-1") as session:
        assert await ending.ask(session, "sold")


async def change_key(site, board):
    """An admin has it make another key, and meets that."""
    owner, now = site.wallet("admin"), int(time.time())
    async with visit(board.transport("ble", 0), owner, "kiosk-1") as session:
        public = await rotating.begin(session, site.registry, authority(site), owner.device("kiosk-1"), now)
        await rotating.leave(session)
    async with visit(board.transport("ble", 1), owner, "kiosk-1") as session:
        await rotating.confirm(session, public)


async def succeed(site, board):
    """An admin whose grant the new key has signed leads it there, has it vouched for, and brings Alice's grant."""
    owner, now = site.wallet("admin"), int(time.time())
    owner.drop_device("kiosk-1")  # which had another key a moment ago
    succeeding.succeed(site, authority(site), now, 86400)
    async with visit(board.transport("ble", 0), owner, "kiosk-1") as session:
        assert await succeeding.renew(session, site, authority(site), owner, "kiosk-1", now)
