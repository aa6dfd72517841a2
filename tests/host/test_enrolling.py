"""A wallet is let in at a kiosk: by an invite link, or by an admin who types what it shows."""

import asyncio

import pytest

from admit import enrolling, invites, wallet
from admit.client import Holder, Session, trusted_credential
from admit.connection import Connection
from admit.invites import Link
from admit.sharing import Wish
from admit.visit import visit
from admit_protocol import cbor, coap, issuing, notice
from admit_protocol.errors import Conflict, Denied, NotFound, TimedOut, Untrusted
from liars import Liar, kind, kiosk, lie
from memory_ports import WEDNESDAY
from newcomers import OPEN, SECRET, new_invite
from rig import ALL, Site
from visitors import SITE

OPENED = cbor.encode({1: b"12345678", 2: {"seconds": 5}})


pytestmark = pytest.mark.usefixtures("wednesday")


@pytest.fixture
def bob(tmp_path):
    """A wallet that knows no site yet."""
    return wallet.create(tmp_path / "bob")


def link(**more):
    return Link(SECRET, SITE.anchor.site_id, new_invite(**more))


async def redeemed(transport, owner, given):
    device, site_id = enrolling.device_of(given), given.site_id
    async with enrolling.arrive(transport, owner, device, site_id) as (session, anchor):
        return await enrolling.redeem(session, anchor, owner, given)


async def opened(rig, owner):
    """Open the door on a visit of its own."""
    async with visit(Liar(rig), owner, "kiosk-1") as session:
        return (await session.request(coap.POST, "/r/open", OPENED)).code


def run(work):
    async def main():
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(main())


def test_a_link_lets_a_new_wallet_in_and_tells_it_whom_to_trust(bob):
    rig = kiosk()
    given = run(redeemed(Liar(rig), bob, invites.decode(invites.encode(link()))))
    assert given.key == bob.publics[0] and given.subject == "guest"
    assert bob.anchor.site_id == SITE.anchor.site_id
    (kept,) = bob.grants()
    assert kept == given and [each.data for each in kept.chain] == [new_invite()]
    assert run(opened(rig, bob)) == coap.CHANGED
    rig.boot()
    assert run(opened(rig, bob)) == coap.CHANGED


def test_a_kiosk_that_has_forgotten_the_grant_is_shown_all_of_it(bob):
    rig = kiosk()
    run(redeemed(Liar(rig), bob, link()))
    assert run(opened(rig, bob)) == coap.CHANGED  # from now on the wallet only names it
    for name in [each for each in rig.storage.files if each.startswith("grant-")]:
        del rig.storage.files[name]
    rig.boot()
    assert run(opened(rig, bob)) == coap.CHANGED


def test_the_same_link_again_is_as_good_as_once_and_another_wallet_comes_too_late(bob, tmp_path):
    rig = kiosk()
    run(redeemed(Liar(rig), bob, link()))
    run(redeemed(Liar(rig), bob, link()))
    assert run(opened(rig, bob)) == coap.CHANGED
    late = wallet.create(tmp_path / "late")
    with pytest.raises(Denied) as caught:
        run(redeemed(Liar(rig), late, link()))
    assert caught.value.reason == "invite-used"
    assert late.grants() == [] and not (late.folder / "anchor.cbor").exists()


def test_an_answer_that_is_lost_loses_nothing(bob):
    rig = kiosk()

    class Cut(Liar):
        """Takes the proof to the kiosk, and nothing back."""

        def answer(self, request):
            answer = self.truth(request)
            return None if "invite-" in "".join(rig.storage.files) else answer

    async def cut(transport):
        async with enrolling.arrive(transport, bob, "kiosk-1", SITE.anchor.site_id) as (session, anchor):
            exchange = session.connection.exchange
            session.connection.exchange = lambda message: exchange(message, 0.2)
            await enrolling.redeem(session, anchor, bob, link())

    with pytest.raises(TimedOut):
        run(cut(Cut(rig)))
    assert run(opened(rig, bob)) == coap.CHANGED


def test_a_kiosk_of_another_site_learns_nothing_of_the_invite(bob):
    other = Site("other", b"other")

    def answer(liar, request):
        from admit_protocol.coap import CONTENT, CONTENT_CBOR, response

        body = {1: "commissioned", 2: rig.credential, 3: {}, 4: 512, 8: other.anchor.encode()}
        return response(CONTENT, cbor.encode(body), CONTENT_CBOR)

    rig = kiosk()
    liar = lie(("GET", "/id"), answer, rig)
    with pytest.raises(Untrusted) as caught:
        run(redeemed(liar, bob, link()))
    assert caught.value.reason == "anchor-other-site"
    assert len(liar.seen) == 1
    assert not (bob.folder / "anchor.cbor").exists()


def test_a_wallet_of_another_site_takes_no_link_of_this(tmp_path):
    owner = wallet.create(tmp_path / "other", Site("other", b"other").anchor)
    with pytest.raises(Conflict) as caught:
        run(redeemed(Liar(kiosk()), owner, link()))
    assert caught.value.reason == "wallet-other-site"


def test_an_invite_that_has_ended_is_not_even_tried(bob):
    rig = kiosk()
    liar = Liar(rig)
    with pytest.raises(Untrusted) as caught:
        run(redeemed(liar, bob, link(expires=WEDNESDAY)))
    assert caught.value.reason == "grant-expired"
    assert kind(liar.seen[-1]) == ("POST", "/.well-known/edhoc")  # message_1, which tells nothing


# By an admin


def admins(tmp_path, rules=ALL, delegate=2):
    """An admin's wallet with a grant that may be passed on."""
    owner = wallet.create(tmp_path / "admin", SITE.anchor)
    login, sign = owner.publics
    owner.add_grant(SITE.grant(login, rules, "admin", ("*",), 50, sig_public=sign, delegate=delegate))
    return owner


async def be_paired(rig, owner, name, code, wait_s=10):
    async with enrolling.arrive(Liar(rig), owner, "kiosk-1", SITE.anchor.site_id) as (session, anchor):
        code.set_result(await enrolling.ask(session, owner, name))
        return await enrolling.wait(session, anchor, owner, wait_s)


async def pair(rig, owner, code, wish=None):
    async with visit(Liar(rig), owner, "kiosk-1") as session:
        (newcomer,) = await enrolling.newcomers(session)
        wish = wish or Wish(newcomer.name, (newcomer.key, newcomer.sig_key), OPEN, ["kiosk-1"])
        return newcomer, await enrolling.pair(session, owner, "kiosk-1", newcomer, await code, wish)


def test_an_admin_lets_a_wallet_in_that_shows_the_code(bob, tmp_path):
    rig, admin = kiosk(), admins(tmp_path)

    async def both():
        code = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(be_paired(rig, bob, "bob", code))
        await code
        newcomer, given = await pair(rig, admin, code)
        assert (newcomer.name, newcomer.key, newcomer.sig_key) == ("bob", *bob.publics)
        kept = await waiting
        assert kept.data == given.data

    run(both())
    assert run(opened(rig, bob)) == coap.CHANGED
    assert bob.anchor.name == SITE.anchor.name


def test_the_wrong_code_lets_nobody_in(bob, tmp_path):
    rig, admin = kiosk(), admins(tmp_path)

    async def both():
        code = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(be_paired(rig, bob, "bob", code))
        wrong = asyncio.get_running_loop().create_future()
        wrong.set_result(f"{(int(await code) + 1) % 1000000:06}")
        with pytest.raises(Denied) as caught:
            await pair(rig, admin, wrong)
        assert caught.value.reason == "code-wrong"
        waiting.cancel()

    run(both())
    assert bob.grants() == []


def test_who_waits_in_vain_is_told(bob):
    rig = kiosk()

    async def alone():
        await be_paired(rig, bob, "bob", asyncio.get_running_loop().create_future(), 0)

    with pytest.raises(TimedOut) as caught:
        run(alone())
    assert caught.value.reason == "enrol-unanswered"


def test_a_wallet_that_knows_no_site_does_not_take_the_kiosks_word_for_it(bob):
    liar = Liar(kiosk())

    async def trusting():
        async with enrolling.arrive(liar, bob, "kiosk-1"):
            pass

    with pytest.raises(NotFound) as caught:
        run(trusting())
    assert caught.value.reason == "wallet-no-site"


def test_a_label_names_the_key_too(bob):
    rig = kiosk()

    async def by_label(fingerprint):
        async with enrolling.arrive(Liar(rig), bob, "kiosk-1", SITE.anchor.site_id, fingerprint) as (session, _):
            return len(session.binding)

    assert run(by_label(notice.fingerprint(rig.public))) == 32
    with pytest.raises(Untrusted) as caught:
        run(by_label(bytes(8)))
    assert caught.value.reason == "device-other"


# What a wallet knows of devices


def test_a_device_that_was_struck_off_is_refused_before_anything_is_told(bob):
    rig = kiosk()
    run(redeemed(Liar(rig), bob, link()))
    assert run(opened(rig, bob)) == coap.CHANGED
    told = issuing.notice(SITE.key, SITE.anchor.site_id, 2, WEDNESDAY, [notice.fingerprint(rig.public)])
    bob.take_notice(told)
    bob.take_notice(issuing.notice(SITE.key, SITE.anchor.site_id, 1, WEDNESDAY, []))  # an older one changes nothing
    liar = Liar(rig)

    async def go():
        async with visit(liar, bob, "kiosk-1"):
            pass

    with pytest.raises(Untrusted) as caught:
        run(go())
    assert caught.value.reason == "device-struck-off"
    assert [each.path for each in liar.seen] == [("id",)]  # has it another key by now?
    bob.drop_device("kiosk-1")
    with pytest.raises(Untrusted) as caught:
        run(go())
    assert caught.value.reason == "device-struck-off"
    assert [each.path for each in liar.seen] == 2 * [("id",)]
    with pytest.raises(Untrusted):
        run(redeemed(Liar(rig), bob, link()))
    bob.take_notice(issuing.notice(SITE.key, SITE.anchor.site_id, 3, WEDNESDAY, []))
    assert run(opened(rig, bob)) == coap.CHANGED


def test_a_notice_of_another_authority_is_not_kept(bob):
    other = Site("other", b"other")
    bob.trust(SITE.anchor)
    with pytest.raises(Untrusted) as caught:
        bob.take_notice(issuing.notice(other.key, other.anchor.site_id, 9, WEDNESDAY, []))
    assert caught.value.reason == "paper-other-site" and bob.newest_notice is None


def test_the_sessions_binding_is_the_devices(bob):
    rig = kiosk()

    async def go():
        async with Connection(Liar(rig)) as connection:
            data = await trusted_credential(connection, SITE.anchor, "kiosk-1")
            session = Session(connection, Holder(bob.login_key, None, SITE.anchor), data)
            assert repr(session.holder) == "<Newcomer>"
            await session.start()
            await session.request(coap.GET, "/enrol")
            return session.binding

    binding = run(go())
    (newcomer,) = rig.device.sessions.newcomers()
    assert newcomer.binding == binding
