"""A gateway between a user and a kiosk, that reads all and does what it likes: it learns nothing and changes nothing.

Each thing that it can do to a message ends in an error with a name at the client, or changes nothing at all; and no
routine ever runs twice. The kiosk is a real device on ports of memory, the client our own.
"""

import asyncio

import pytest

import attackers
from admit.client import Session, trusted_credential
from admit.coap_ws import decode_message, encode_message
from admit_protocol import cbor, coap, credential, grant, problem
from admit_protocol.errors import AdmitError, NotFound, Refused, TimedOut, Untrusted, Unverified
from gateways import run
from lying_gateway import (
    ALICE,
    ALICES,
    BOBS,
    Script,
    at_last,
    flipped,
    flipped_request,
    forwarded_length,
    invoke,
    lying,
    repeat_visit,
    settle,
    teach,
    way,
)
from rig import Rig

DONE = [1, None]
PLACES = ((1, None), (None, 1), (2, None), (None, 2))  # which request, or which answer, of a repeat visit


@pytest.fixture
def rig():
    return attackers.kiosk()


class OneLie(Script):
    """Alters the n-th request or the n-th answer of a visit, once, by a function; counts both."""

    def __init__(self, request=None, answer=None, do=None):
        super().__init__()
        self.request, self.answer, self.do = request, answer, do
        self.requests = self.answers = 0
        self.armed = False

    async def ask(self, visitor, request):
        self.requests += self.armed
        if self.armed and self.requests == self.request:
            return self.do(request)
        return [request]

    async def tell(self, visitor, data):
        is_answer = 0 < data[1] >> 5 < 7
        self.answers += self.armed and is_answer
        if self.armed and is_answer and self.answers == self.answer:
            return self.do(data)
        return [data]


async def outcome_of(work):
    """What a visit ended in: the routine's outcome, or the reason of a named error."""
    try:
        return await work
    except AdmitError as error:
        assert error.reason
        return error.reason


async def a_visit(gateway, data, identifier=None):
    async with way(gateway) as connection:
        return await invoke(await repeat_visit(connection, data), identifier)


# It reads nothing


def test_of_all_that_passes_through_it_nothing_says_who_does_what(rig):
    script = Script()

    async def story():
        async with lying({"kiosk-1": rig}, script) as gateway, way(gateway) as connection:
            data = await trusted_credential(connection, ALICES.anchor, "kiosk-1")
            session = Session(connection, ALICES, data)
            await session.start()
            assert await invoke(session, b"identity") == DONE
            await session.request(coap.GET, "/r")
            with pytest.raises(AdmitError):
                await session.request(coap.GET, "/journal", query="from=17")

    run(story())
    seen = b"".join(script.seen)
    given = grant.parse(ALICES.grant)
    secrets = [b"open", b"journal", b"from=17", b"identity", b"alice", b"rule-", b"Open the door"]
    secrets += [given.id, grant.kid_of(ALICES.grant), ALICES.grant[:40], ALICES.grant[-40:], ALICE.public[:32]]
    secrets += [ALICE.public[32:], cbor.encode("/r/*"), cbor.encode({1: b"identity"})]
    assert [secret for secret in secrets if secret in seen] == []
    for request in script.asked:
        options = {number for number, _ in request.options}
        if request.option(coap.OSCORE) is None:
            assert (request.code, request.path) in ((coap.GET, ("id",)), (coap.POST, (".well-known", "edhoc")))
        else:
            assert request.code == coap.POST and options <= {coap.URI_HOST, coap.OSCORE, coap.EDHOC}


# It changes nothing


def test_whichever_byte_of_a_handshake_or_a_first_request_it_alters_nothing_false_is_believed(rig):
    """message_1, message_2, message_3 with the request, and the answer: every byte of each, in turn."""
    script = OneLie()
    reasons = []

    async def visit(gateway, data):
        before = len(attackers.runs)
        script.armed, script.requests, script.answers = True, 0, 0
        ended = await outcome_of(a_visit(gateway, data))
        assert ended == DONE or isinstance(ended, str), ended
        assert len(attackers.runs) - before <= 1
        return ended

    async def story():
        async with lying({"kiosk-1": rig}, script) as gateway:
            data = rig.credential
            await teach(gateway, data, ALICES)
            first = len(script.asked)
            assert await visit(gateway, data) == DONE
            requests = script.asked[first:]
            answers = [each for each in script.seen if 0 < each[1] >> 5 < 7 and each[1] >> 5 > 1][-2:]
            assert len(requests) == len(answers) == 2
            for number, request in enumerate(requests, 1):
                for at in range(forwarded_length(request)):
                    twin = flipped_request(request, at)
                    if twin is not None:
                        script.request, script.answer = number, None
                        script.do = lambda request, at=at: [flipped_request(request, at) or request]
                        reasons.append(await visit(gateway, data))
            for number, answer in enumerate(answers, 1):
                for at in range(len(answer)):
                    script.request, script.answer = None, number
                    script.do = lambda data, at=at: [flipped(data, at)]
                    reasons.append(await visit(gateway, data))
            script.armed = False
            assert await a_visit(gateway, data) == DONE  # and none of it did lasting harm

    run(story(), 120)
    refused = [each for each in reasons if each != DONE]
    assert len(reasons) > 250 and len(refused) > 0.9 * len(reasons), (len(reasons), len(refused))
    assert {"edhoc-signature-2", "ccm-tag", "request-timeout"} <= set(refused)


def test_whichever_byte_of_a_session_it_alters_nothing_false_is_believed(rig):
    script, reasons = OneLie(), []

    async def story():
        async with lying({"kiosk-1": rig}, script) as gateway:
            data = rig.credential
            await teach(gateway, data, ALICES)
            async with way(gateway) as connection:
                session = await repeat_visit(connection, data)
                assert await invoke(session) == DONE
                seen = len(script.seen)
                assert await invoke(session) == DONE
                length, answer = forwarded_length(script.asked[-1]), len(script.seen[seen + 1])
                for side, count in (("request", length), ("answer", answer)):
                    for at in range(count):
                        script.armed, script.requests, script.answers = True, 0, 0
                        script.request, script.answer = (1, None) if side == "request" else (None, 1)
                        alter = (
                            flipped if side == "answer" else lambda request, at: flipped_request(request, at) or request
                        )
                        script.do = lambda data, at=at, alter=alter: [alter(data, at)]
                        if connection.broken:
                            await connection.__aexit__(None, None, None)
                            connection = session.connection = await way(gateway).__aenter__()
                        before = len(attackers.runs)
                        reasons.append(await outcome_of(invoke(session)))
                        assert reasons[-1] == DONE or isinstance(reasons[-1], str)
                        assert len(attackers.runs) - before <= 1
                script.armed = False
                if connection.broken:
                    connection = session.connection = await way(gateway).__aenter__()
                assert await invoke(session) == DONE
                await connection.__aexit__(None, None, None)

    run(story(), 120)
    assert {"ccm-tag", "session-lost", "request-timeout"} <= {each for each in reasons if each != DONE}


def test_what_it_drops_is_asked_again_and_happens_once(rig):
    for number, place in enumerate(PLACES):
        script = OneLie(*place, do=lambda message: [])

        async def story(script=script, number=number):
            async with lying({"kiosk-1": rig}, script) as gateway:
                await teach(gateway, rig.credential, ALICES)
                attackers.runs.clear()
                script.armed = True
                assert await outcome_of(a_visit(gateway, rig.credential, b"visit--%d" % number)) == "request-timeout"
                script.armed = False
                assert await at_last(lambda: a_visit(gateway, rig.credential, b"visit--%d" % number)) == DONE

        run(story())
        assert attackers.runs == ["open"], place


def test_what_it_sends_twice_happens_once(rig):
    for number, place in enumerate(PLACES):
        script = OneLie(*place, do=lambda message: [message, message])

        async def story(script=script, number=number):
            async with lying({"kiosk-1": rig}, script) as gateway:
                await teach(gateway, rig.credential, ALICES)
                attackers.runs.clear()
                script.armed = True
                first = await outcome_of(a_visit(gateway, rig.credential, b"twice--%d" % number))
                assert first == DONE or isinstance(first, str)
                script.armed = False
                assert await at_last(lambda: a_visit(gateway, rig.credential, b"twice--%d" % number)) == DONE

        run(story())
        assert attackers.runs == ["open"], place


class Keeper(Script):
    """Keeps requests and answers of one visit, to be played again in another."""

    def __init__(self):
        super().__init__()
        self.requests, self.answers = [], []
        self.replay = None

    async def ask(self, visitor, request):
        self.requests.append(request)
        return [self.replay] if isinstance(self.replay, coap.Message) else [request]

    async def tell(self, visitor, data):
        if not 1 < data[1] >> 5 < 7:
            return [data]
        self.answers.append(data)
        if isinstance(self.replay, bytes):
            old = decode_message(self.replay)
            old.token = decode_message(data).token
            return [encode_message(old)]
        return [data]


def test_what_was_said_before_counts_for_nothing_when_it_is_said_again(rig):
    script = Keeper()

    async def story():
        async with lying({"kiosk-1": rig}, script) as gateway:
            await teach(gateway, rig.credential, ALICES)
            async with way(gateway) as connection:
                session = await repeat_visit(connection, rig.credential)
                await invoke(session)
                await invoke(session)
                request, answer = script.requests[-1], script.answers[-1]
                attackers.runs.clear()
                script.replay = request
                assert await outcome_of(invoke(session)) in ("session-lost", "ccm-tag")
                script.replay = answer
                assert await outcome_of(invoke(session)) == "ccm-tag"
                script.replay = None
                assert await invoke(session) == DONE
            first_message_1, first_message_2 = script.requests[-4], script.answers[-4]
            runs = len(attackers.runs)
            for replay in (request, script.requests[-5], first_message_1, answer, first_message_2):
                script.replay = replay
                ended = await outcome_of(a_visit(gateway, rig.credential))
                assert isinstance(ended, str), replay
            assert len(attackers.runs) == runs
            script.replay = None
            assert await a_visit(gateway, rig.credential) == DONE

    run(story())


def test_answers_of_two_visitors_that_it_swaps_are_believed_by_neither(rig):
    class Swap(Script):
        def __init__(self):
            super().__init__()
            self.held, self.armed = [], False

        async def tell(self, visitor, data):
            if not self.armed or not 1 < data[1] >> 5 < 7:
                return [data]
            mine = asyncio.get_running_loop().create_future()
            self.held.append((mine, data))
            if len(self.held) == 2:
                (one, first), (two, second) = self.held
                self.held = []
                one.set_result(swapped(first, second))
                two.set_result(swapped(second, first))
            return [await mine]

    def swapped(own, others):
        message = decode_message(others)
        message.token = decode_message(own).token
        return encode_message(message)

    script = Swap()

    async def story():
        async with lying({"kiosk-1": rig}, script) as gateway:
            await teach(gateway, rig.credential, ALICES, BOBS)
            async with way(gateway) as one, way(gateway) as two:
                alice = await repeat_visit(one, rig.credential)
                bob = await repeat_visit(two, rig.credential, BOBS)
                await invoke(alice), await invoke(bob)
                attackers.runs.clear()
                script.armed = True
                ended = await asyncio.gather(outcome_of(invoke(alice)), outcome_of(invoke(bob)))
                assert ended == ["ccm-tag", "ccm-tag"]
                script.armed = False
                assert await invoke(alice) == await invoke(bob) == DONE
                script.armed = True
                starts = [outcome_of(repeat_visit(one, rig.credential)), outcome_of(repeat_visit(two, rig.credential))]
                ended = await asyncio.gather(*starts)
                assert {each.split("-")[0] for each in ended} <= {"cbor", "edhoc", "device"}, ended
            assert len(attackers.runs) == 4

    run(story())


def test_requests_in_another_order_are_each_done_once_or_refused(rig):
    class Hold(Script):
        def __init__(self):
            super().__init__()
            self.armed, self.later = False, asyncio.Event()

        async def ask(self, visitor, request):
            if self.armed:
                self.armed = False
                await self.later.wait()
            return [request]

    script = Hold()

    async def story():
        async with lying({"kiosk-1": rig}, script) as gateway:
            await teach(gateway, rig.credential, ALICES)
            async with way(gateway) as connection:
                session = await repeat_visit(connection, rig.credential)
                await invoke(session)
                attackers.runs.clear()
                script.armed = True
                assert await outcome_of(invoke(session, b"firstone")) == "request-timeout"
                assert await invoke(session, b"secondly") == DONE
                script.later.set()
                await settle()
                assert await invoke(session, b"firstone") == DONE
            assert len(attackers.runs) == 2

    run(story())


# Whom it may lead to


def own_device(site, device_id):
    """A device of the gateway's own."""
    return Rig(attackers.NAMES, site, device_id)


@pytest.mark.parametrize(
    "site, device_id, reason",
    [
        (attackers.SITE, "kiosk-2", "device-other"),  # another kiosk of the same site
        (attackers.OTHER, "kiosk-1", "credential-other-site"),
        (None, "", "device-unproven"),  # one that belongs to nobody
    ],
)
def test_a_device_of_its_own_in_the_place_of_the_kiosk_is_found_out(rig, site, device_id, reason):
    other = own_device(site, device_id)
    script = Script()

    async def story():
        async with lying({"kiosk-1": other}, script) as gateway, way(gateway) as connection:
            with pytest.raises(Untrusted, match=reason):
                await trusted_credential(connection, ALICES.anchor, "kiosk-1")
            ended = await outcome_of(repeat_visit(connection, rig.credential))
            assert ended in ("device-other", "edhoc-signature-2", "resource-unknown"), ended

    run(story())
    assert all(grant.kid_of(ALICES.grant) not in each for each in script.seen)
    assert attackers.runs == []


def test_message_2_of_its_own_device_is_refused_even_with_the_real_kiosks_credential(rig):
    other = own_device(attackers.OTHER, "kiosk-1")

    class Divert(Script):
        async def ask(self, visitor, request):
            if request.option(coap.OSCORE) is None and request.code == coap.POST:
                self.answer = RigAnswer(other).to(request)
            return [request]

        async def tell(self, visitor, data):
            message = decode_message(data)
            answer = getattr(self, "answer", None)
            if answer is None or message.code != coap.CHANGED:
                return [data]
            answer.token = message.token
            return [encode_message(answer)]

    class RigAnswer:
        def __init__(self, rig):
            self.phone = attackers.Phone(rig)

        def to(self, request):
            return self.phone.send(request.copy())

    script = Divert()

    async def story():
        async with lying({"kiosk-1": rig}, script) as gateway, way(gateway) as connection:
            data = await trusted_credential(connection, ALICES.anchor, "kiosk-1")
            with pytest.raises((Untrusted, Unverified)) as caught:
                await Session(connection, ALICES, data).start()
            assert caught.value.reason in ("device-other", "edhoc-signature-2")

    run(story())
    assert credential.parse(other.credential).kid != b"" and attackers.runs == []


# What it says of itself


@pytest.mark.parametrize(
    "code, reason, kind",
    [
        (0x84, "gateway-no-kiosk", NotFound),
        (0xA2, "gateway-link-lost", TimedOut),
        (0xA4, "gateway-no-answer", TimedOut),
        (0x84, "rule-none", Refused),
        (0x83, "rule-none", Refused),
        (0xA2, "journal-altered", Refused),
    ],
)
def test_an_error_of_its_own_stops_us_at_most(rig, code, reason, kind):
    forged = coap.response(code, problem.encode(NotFound(reason, "\x1b[2Jgo\nthere")), coap.CONTENT_PROBLEM)

    def forge(data):
        forged.token = decode_message(data).token
        return [encode_message(forged)]

    for number in (1, 2):
        script = OneLie(answer=number, do=forge)

        async def story(script=script):
            async with lying({"kiosk-1": rig}, script) as gateway:
                await teach(gateway, rig.credential, ALICES)
                script.armed = True
                with pytest.raises(kind) as caught:
                    await a_visit(gateway, rig.credential)
                assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)

        run(story())
