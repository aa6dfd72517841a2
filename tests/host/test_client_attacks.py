"""A kiosk that lies to the client, and whoever sits between them: each lie is named, and nothing of the user is lost.

The kiosk is a real device on ports of memory; liars.py sits on the link to it, and may answer any request itself.
"""

import asyncio

import pytest

from admit.client import Holder, Session, describe, trusted_credential
from admit.collect import fetch_journal
from admit.suite import HostSuite
from admit_protocol import block, cbor, coap, coap_numbers, cose, credential, edhoc, grant, issuing, journal
from admit_protocol.errors import (
    Conflict,
    Malformed,
    Refused,
    TimedOut,
    TooLarge,
    Unauthenticated,
    UnknownCredential,
    Untrusted,
    Unverified,
)
from admit_provisioning.commission import commission
from liars import Liar, kind, kiosk, lie, run
from memory_ports import WEDNESDAY
from rig import Phone, Rig, Site
from visitors import ROUTINES, SITE

OTHER = Site("other", b"other")
IMPOSTOR = HostSuite().generate()
ALICE = HostSuite().generate()
ALICES = SITE.grant(ALICE.public, [("*", 127, {})])
HOLDER = Holder(ALICE, ALICES, SITE.anchor)
EDHOC = ("POST", "/.well-known/edhoc")


def forged():
    """A credential of our site that another authority signed."""
    key, site_id = IMPOSTOR.public, SITE.anchor.site_id
    return issuing.credential(OTHER.key, site_id, "kiosk-1", key, b"\x01", WEDNESDAY, key)


OPEN = cbor.encode({1: b"12345678", 2: {"seconds": 5}})


async def go(connection, known=False, data=None, path="/r/open"):
    """What every visit does: prove the kiosk that was chosen, then ask something of it."""
    session = Session(connection, HOLDER, data or await trusted_credential(connection, SITE.anchor, "kiosk-1"), known)
    await session.start()
    return await session.request(coap.POST, path, OPEN)


def names_nobody(liar):
    """Nothing that the client sent says who it is, not even under EDHOC's own encryption."""
    kid = grant.kid_of(ALICES)
    for request in liar.seen:
        assert kind(request) == ("GET", "/id") or edhoc.split_prefixed(request.payload)[0] is None
        assert kid not in request.payload and ALICE.public[:32] not in request.payload
    return True


def id_of(data):
    """An answer to GET /id with this credential."""
    return lambda liar, request: coap.response(
        coap.CONTENT, cbor.encode({1: "commissioned", 2: data, 3: {}, 4: 512}), coap.CONTENT_CBOR
    )


# Who the kiosk says it is


@pytest.mark.parametrize(
    "data, kind_of_error, reason",
    [
        (None, Untrusted, "device-unproven"),
        (SITE.vouch("kiosk-2", IMPOSTOR.public), Untrusted, "device-other"),
        (OTHER.vouch("kiosk-1", IMPOSTOR.public), Untrusted, "credential-other-site"),
        (forged(), Unverified, "cose-signature"),
        (ALICES, Malformed, "credential-claims"),
        (b"", Malformed, "cbor-truncated"),
        (5, Malformed, "id-body"),
        ([], Malformed, "id-body"),
    ],
)
def test_a_kiosk_with_the_wrong_credential_learns_nothing(data, kind_of_error, reason):
    liar = lie(("GET", "/id"), id_of(data))
    with pytest.raises(kind_of_error, match=reason):
        run(liar, go)
    assert len(liar.seen) == 1 and names_nobody(liar)


def test_a_kiosk_with_somebody_elses_credential_cannot_prove_it():
    real = kiosk().credential  # anybody may ask for it
    for impostor in (Rig(ROUTINES, SITE, "kiosk-2"), Rig(ROUTINES, OTHER), own_site("kiosk-1")):
        liar = lie(("GET", "/id"), id_of(real), impostor)
        with pytest.raises((Untrusted, Unverified)) as caught:
            run(liar, go)
        assert caught.value.reason in ("device-other", "edhoc-signature-2")
        assert len(liar.seen) == 2 and names_nobody(liar)


def own_site(device_id):
    """A kiosk of the same name, whose key happens to have the same kid as the real one's."""
    real = credential.parse(kiosk().credential).kid
    for number in range(1000):
        rig = Rig(ROUTINES)
        rig.dice.seed = b"another %d" % number
        rig.commission(OTHER, device_id)
        if credential.parse(rig.credential).kid == real:
            return rig
    raise AssertionError("not in 1000 tries")


def test_every_byte_of_message_2_counts():
    def altered_at(at):
        def alter(liar, request):
            response = liar.truth(request)
            at_end = min(at, len(response.payload) - 1)
            flipped = bytes((response.payload[at_end] ^ 0x10,))
            response.payload = response.payload[:at_end] + flipped + response.payload[at_end + 1 :]
            return response

        return alter

    rig = kiosk()
    for at in (0, 1, 2, 20, 33, 34, 35, 36, 37, 60, 99, 101):
        liar = lie(EDHOC, altered_at(at), rig)
        with pytest.raises((Malformed, Untrusted, Unverified)) as caught:
            run(liar, go)
        assert caught.value.reason.split("-")[0] in ("cbor", "edhoc", "p256", "device"), at
        assert names_nobody(liar)
        rig.radio.listener.closed(liar.kiosk.number)


@pytest.mark.parametrize(
    "answer",
    [
        lambda liar, request: coap.response(coap.CHANGED, request.payload, coap.CONTENT_EDHOC),
        lambda liar, request: coap.response(coap.CHANGED, request.payload[1:], coap.CONTENT_EDHOC),
        lambda liar, request: coap.response(coap.CHANGED, cbor.encode(bytes(100)), coap.CONTENT_EDHOC),
        lambda liar, request: coap.response(coap.CHANGED, b""),
    ],
)
def test_what_is_no_message_2_is_refused(answer):
    liar = lie(EDHOC, answer)
    with pytest.raises((Malformed, Untrusted)) as caught:
        run(liar, go)
    assert caught.value.reason.split("-")[0] in ("edhoc", "cbor", "p256", "device")
    assert names_nobody(liar)


def test_message_2_of_an_earlier_visit_proves_nothing():
    rig, kept = kiosk(), []

    def keep(liar, request):
        kept.append(liar.truth(request))
        return kept[-1].copy()

    run(lie(EDHOC, keep, rig), go)
    liar = lie(EDHOC, lambda liar, request: kept[0].copy(), rig)
    with pytest.raises((Malformed, Untrusted, Unverified)):
        run(liar, go)
    assert names_nobody(liar)


# Errors that nobody vouches for


def edhoc_error(code, info):
    return coap.response(coap.BAD_REQUEST, edhoc.encode_error(code, info), coap.CONTENT_EDHOC)


@pytest.mark.parametrize(
    "code, info, kind_of_error, reason",
    [
        (2, 3, Refused, "handshake-refused"),
        (2, [0, 3], Refused, "handshake-refused"),
        (1, "use method 0", Refused, "handshake-refused"),
        (3, True, UnknownCredential, "edhoc-unknown-credential"),
    ],
)
def test_no_error_makes_the_client_choose_another_suite_or_method(code, info, kind_of_error, reason):
    liar = lie(EDHOC, lambda liar, request: edhoc_error(code, info))
    with pytest.raises(kind_of_error, match=reason):
        run(liar, go)
    assert [kind(each) for each in liar.seen] == [("GET", "/id"), EDHOC]
    method, suites = cbor.decode_sequence(liar.seen[1].payload)[1:3]
    assert (method, suites) == (2, 2) and names_nobody(liar)


def test_unknown_credential_is_believed_once_and_of_message_3_alone():
    liar = lie("protected", lambda liar, request: edhoc_error(3, True))
    with pytest.raises(UnknownCredential):
        run(liar, lambda connection: go(connection, known=True, data=liar.kiosk.rig.credential))
    assert [kind(each) for each in liar.seen] == [EDHOC, "protected"] * 2
    liar = lie("protected", lambda liar, request: edhoc_error(3, True))
    with pytest.raises(UnknownCredential):
        run(liar, go)
    assert [kind(each) for each in liar.seen] == [("GET", "/id"), EDHOC, "protected"]


def test_unknown_credential_in_the_middle_of_a_session_repeats_no_request():
    def swallow(liar, request):
        response = liar.truth(request)
        return edhoc_error(3, True) if request.option(coap.EDHOC) is None else response

    async def twice(connection):
        session = Session(connection, HOLDER, liar.kiosk.rig.credential, known=False)
        await session.start()
        await session.request(coap.GET, "/r")
        await session.request(coap.POST, "/login")

    liar = lie("protected", swallow)
    with pytest.raises(TimedOut, match="session-lost"):
        run(liar, twice)
    assert [kind(each) for each in liar.seen] == [EDHOC, "protected", "protected"]


def test_what_a_kiosk_says_reaches_no_terminal_as_a_command():
    for answer in (
        edhoc_error(1, "\x1b[2Jall is well\r\n" + "x" * 300),
        coap.response(coap.BAD_REQUEST, cbor.encode({-1: "\x1b]0;no\x07", -2: "\x9b1m\u202e\n"}), coap.CONTENT_PROBLEM),
    ):
        liar = lie(EDHOC, lambda liar, request, answer=answer: answer.copy())
        with pytest.raises(Refused) as caught:
            run(liar, go)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


# Responses to protected requests


def test_a_plain_response_is_no_answer_to_a_protected_request():
    for code, kind_of_error, reason in (
        (coap.CONTENT, Refused, "device-refused"),
        (coap.CHANGED, Refused, "device-refused"),
        (coap_numbers.NOT_FOUND, Refused, "device-refused"),
        (coap.BAD_REQUEST, Refused, "device-refused"),
        (coap_numbers.UNAUTHORIZED, TimedOut, "session-lost"),
    ):
        liar = lie("protected", lambda liar, request, code=code: coap.response(code, cbor.encode({1: 1, 2: 5})))
        with pytest.raises(kind_of_error, match=reason):
            run(liar, go)


def test_the_response_to_another_request_is_no_answer_nor_is_the_request_itself():
    kept = []

    def previous(liar, request):
        kept.append(liar.truth(request))
        return kept[0].copy()

    async def ask_twice(connection):
        session = Session(connection, HOLDER, await trusted_credential(connection, SITE.anchor, "kiosk-1"))
        await session.start()
        await session.request(coap.GET, "/r")
        await session.request(coap.GET, "/health")

    with pytest.raises(Unverified, match="ccm-tag"):
        run(lie("protected", previous), ask_twice)

    def mirror(liar, request):
        response = coap.response(coap.CHANGED, request.payload)
        response.add_option(coap.OSCORE, request.option(coap.OSCORE))
        return response

    with pytest.raises(Unauthenticated, match="oscore-context"):
        run(lie("protected", mirror), go)


def test_a_request_that_the_kiosk_sends_is_not_served():
    async def listen(connection):
        liar.tell(coap.request(coap.GET, "/id"), b"\x01")
        liar.flush()
        return await describe(connection)

    liar = Liar(kiosk())
    assert run(liar, listen).state == "commissioned"


def test_an_old_notification_is_not_shown_again_and_ends_nothing():
    rig = kiosk()
    seen = []

    def notify(value, times):
        rig.device.kiosk.set("door", value)
        (notification,) = liar.kiosk.pump()
        for _ in range(times):
            liar.tell(notification.copy(), liar.seen[-1].token)
            liar.flush()

    async def watch(connection):
        session = Session(connection, HOLDER, rig.credential)
        await session.start()
        async for response in session.observe("/r/open"):
            seen.append(cbor.decode(response.payload)["outputs"]["door"]["value"])
            if len(seen) == 1:
                notify("open", times=3)
                notify("closed", times=1)
            if len(seen) == 3:
                return

    liar = Liar(rig)
    run(liar, watch)
    assert seen == ["closed", "open", "closed"]


# Blocks and pages


def blocks(answer):
    """A liar about the blocks of GET /id: `answer(number)` is (number, more, szx, payload, etag)."""

    def respond(liar, request):
        asked = request.option(coap.BLOCK2)
        number, more, szx, payload, etag = answer(0 if asked is None else block.parse(asked)[0])
        options = ((coap.BLOCK2, block.encode(number, more, szx)), (coap.ETAG, etag))
        return coap.response(coap.CONTENT, payload, coap.CONTENT_CBOR, options)

    return lie(("GET", "/id"), respond)


@pytest.mark.parametrize(
    "answer, kind_of_error, reason",
    [
        (lambda number: (number, True, 4, bytes(256), b"e"), TooLarge, "block-too-large"),
        (lambda number: (0, True, 0, bytes(16), b"e"), Malformed, "block-number"),
        (lambda number: (number + 1, True, 0, bytes(16), b"e"), Malformed, "block-number"),
        (lambda number: (number, True, 2, bytes(16), b"e"), Malformed, "block-size"),
        (lambda number: (number, True, 0, b"", b"e"), Malformed, "block-size"),
        (lambda number: (number, True, 0, bytes(16), b"%d" % number), Conflict, "block-changed"),
    ],
)
def test_blocks_that_do_not_join_or_never_end_are_given_up(answer, kind_of_error, reason):
    liar = blocks(answer)
    with pytest.raises(kind_of_error, match=reason):
        run(liar, describe)
    assert len(liar.seen) <= 4097


def test_a_kiosk_that_always_wants_more_gets_no_more_than_there_is():
    for szx in (6, 0):
        liar = lie(
            EDHOC,
            lambda liar, request, szx=szx: coap.response(
                coap.CONTINUE, options=((coap.BLOCK1, block.encode(0, True, szx)),)
            ),
        )
        with pytest.raises(Malformed, match="block-continue"):
            run(liar, go)
    liar = lie(EDHOC, lambda liar, request: coap.response(coap_numbers.REQUEST_ENTITY_INCOMPLETE))
    with pytest.raises(Refused, match="device-refused"):
        run(liar, go)
    assert len(liar.seen) < 10


class Pages:
    """A session with a proven kiosk that answers GET /journal by `page(start)` -> (first, records, count)."""

    def __init__(self, page):
        self.page = page
        self.asked = 0

    async def request(self, method, path, query):
        self.asked += 1
        first, records, count = self.page(int(query[5:]))
        signed = journal.sign_head(ALICE, "kiosk-1", count, bytes(32), None)
        return coap.response(coap.CONTENT, cbor.encode({1: first, 2: bytes(32), 3: records, 4: signed}))


@pytest.mark.parametrize(
    "page",
    [
        lambda start: (start, [b"x" * 50], 1 << 60),  # always one more
        lambda start: (start, [b"x"], start + 9),  # it grows faster than it is read
        lambda start: (start, [], 5),  # nothing, though there is more
        lambda start: (0, [b"x"], 5),  # the first one again and again
        lambda start: (start + 1, [b"x"], 9),  # one left out each time
        lambda start: (start, [7], 1),
        lambda start: (None, [], 1),
    ],
)
def test_a_journal_without_end_or_with_holes_is_given_up(page):
    pages = Pages(page)
    with pytest.raises(Malformed, match="journal-page"):
        asyncio.run(fetch_journal(pages, 0))
    assert pages.asked <= 1001


# Commissioning


def no_step(words):
    pass


def vouch(keys):
    return SITE.vouch("kiosk-1", keys.public, keys.seal_public)


def test_a_technician_is_not_told_that_an_impostor_is_the_kiosk_nor_is_the_impostor_told_who_asks():
    for data, kind_of_error, reason in (
        (forged(), Unverified, "cose-signature"),
        (SITE.vouch("kiosk-2", IMPOSTOR.public), Conflict, "device-commissioned"),
        (OTHER.vouch("kiosk-1", IMPOSTOR.public), Conflict, "device-commissioned"),
    ):
        liar = lie(("GET", "/id"), id_of(data))
        with pytest.raises(kind_of_error, match=reason):
            run(liar, lambda connection: commission(connection, HOLDER, "kiosk-1", vouch, no_step))
        assert len(liar.seen) == 1


@pytest.mark.parametrize("number", [1, 3])
def test_a_key_that_is_not_the_devices_commissions_nothing(number):
    """Nor does one to which bundles would be sealed that somebody else could open."""
    factory = Rig(ROUTINES)
    strangers = cose.encode_key(IMPOSTOR.public)

    class Cable(Liar):
        def __init__(self):
            super().__init__(factory)
            self.kiosk = Phone(factory, server=factory.cable)

        def answer(self, request):
            response = self.truth(request)
            if kind(request) == ("POST", "/identity"):
                response.payload = cbor.encode(cbor.decode(response.payload) | {number: strangers})
            return response

    liar = Cable()
    with pytest.raises(Refused, match="identity-other-key"):
        run(liar, lambda connection: commission(connection, HOLDER, "kiosk-1", vouch, no_step))
    assert factory.device.identity.state == "factory"
    assert [kind(each)[1] for each in liar.seen] == ["/id", "/identity", "/identity"]
