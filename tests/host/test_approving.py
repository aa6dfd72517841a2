"""Asking others for consent, and consenting, from their wallets; and showing that one is there."""

import asyncio
import dataclasses

import pytest

from admit import approving, presence, routines, wallet
from admit.visit import visit
from admit_protocol import rule
from admit_protocol.errors import Denied, NotFound, TimedOut
from liars import Liar, kiosk
from visitors import SITE

POST = 2
GUARDED = [("/r/open", 2, {rule.APPROVALS: [1, ["group:guards"]]})]
SHOWN = [("/r/open", 2, {rule.PRESENCE: rule.CODE})]
NOTHING = [("/r/broken", 2, {})]


pytestmark = pytest.mark.usefixtures("wednesday")


@pytest.fixture
def people(tmp_path):
    """Somebody's wallet, by name."""

    def person(name, rules=NOTHING, selectors=()):
        owner = wallet.create(tmp_path / name, SITE.anchor)
        login, sign = owner.publics
        number = int.from_bytes(name.encode()[:7], "big")
        more = {"sig_public": sign, "selectors": selectors}
        owner.add_grant(SITE.grant(login, rules, name, number=number, **more))
        return owner

    return person


def run(work):
    async def main():
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(main())


def at(rig, owner):
    return visit(Liar(rig), owner, "kiosk-1")


async def opened(rig, owner, overcome=None):
    return await routines.invoke(lambda: at(rig, owner), "open", {"seconds": 3}, overcome=overcome)


def test_an_invocation_waits_for_consent_and_then_happens(people):
    rig, alice, bob = kiosk(), people("alice", GUARDED), people("bob", selectors=("group:guards",))
    told = []

    async def overcome(session, denied):
        assert denied.reason == "rule-approvals"
        identifier = await approving.ask(session, POST, "/r/open", {"seconds": 3})
        assert await approving.ask(session, POST, "/r/open", {"seconds": 3}) == identifier
        helper = asyncio.create_task(consent())
        await approving.wait(session, identifier, lambda request: told.append((request.got, request.needed)))
        await helper
        return True

    async def consent():
        async with at(rig, bob) as session:
            (request,) = await approving.pending(session)
            assert (request.who, request.path, request.arguments) == ("alice", "/r/open", {"seconds": 3})
            await approving.approve(session, bob, "kiosk-1", request)

    outcome = run(opened(rig, alice, overcome))
    assert outcome.state == "done" and outcome.result == 3
    assert told[0] == (0, 1) and told[-1] == (1, 1)
    with pytest.raises(Denied):
        run(opened(rig, alice))


def test_whoever_waits_goes_on_waiting_when_other_visits_of_theirs_took_the_sessions_place(people):
    rig, alice, bob = kiosk(), people("alice", GUARDED), people("bob", selectors=("group:guards",))

    async def overcome(session, denied):
        identifier = await approving.ask(session, POST, "/r/open", {"seconds": 3})
        for _ in range(2):  # of one key: a third ends its oldest
            async with at(rig, alice) as other:
                assert len(await approving.pending(other)) == 1
        with pytest.raises(TimedOut, match="session-lost"):
            await approving.pending(session)
        async with at(rig, bob) as other:
            (request,) = await approving.pending(other)
            await approving.approve(other, bob, "kiosk-1", request)
        await approving.wait(session, identifier, lambda request: None)
        return True

    assert run(opened(rig, alice, overcome)).state == "done"


def test_who_gives_up_hears_why(people):
    rig, alice = kiosk(), people("alice", GUARDED)

    async def overcome(session, denied):
        return False

    with pytest.raises(Denied) as caught:
        run(opened(rig, alice, overcome))
    assert caught.value.reason == "rule-approvals"


def test_consent_to_what_is_gone_or_to_something_else_is_refused(people):
    rig, alice, bob = kiosk(), people("alice", GUARDED), people("bob", selectors=("group:guards",))

    async def story():
        async with at(rig, alice) as session:
            identifier = await approving.ask(session, POST, "/r/open", {"seconds": 3})
            async with at(rig, bob) as other:
                (request,) = await approving.pending(other)
                lie = dataclasses.replace(request, arguments={"seconds": 30})
                with pytest.raises(Exception) as caught:
                    await approving.approve(other, bob, "kiosk-1", lie)
                assert caught.value.reason == "approval-other-request"
                rig.device.access.pending = []
                with pytest.raises(NotFound) as caught:
                    await approving.approve(other, bob, "kiosk-1", request)
                assert caught.value.reason == "approval-unknown"
            with pytest.raises(TimedOut) as caught:
                await approving.wait(session, identifier, lambda request: None)
            assert caught.value.reason == "approval-expired"

    run(story())


def test_a_code_is_read_and_told_in_one_session(people):
    rig, alice = kiosk(), people("alice", SHOWN)

    async def overcome(session, denied):
        assert denied.reason == "rule-presence"
        assert await presence.ask_code(session) == 6
        with pytest.raises(Denied) as caught:
            await presence.tell_button(session)
        assert caught.value.reason == "presence-button"
        await presence.tell_code(session, rig.outputs.get("code"))
        return True

    assert run(opened(rig, alice, overcome)).state == "done"
