"""The host's half of a sealed label, against the real device app in this process, and against liars."""

import asyncio

import pytest

from admit.client import checked
from admit.connection import block_wise
from admit_protocol import cbor, coap, coap_numbers, label
from admit_protocol.errors import Busy, Conflict, NotFound, Refused, Untrusted
from admit_provisioning import sealed
from admit_provisioning.commission import install, make_key
from memory_ports import WEDNESDAY
from rig import Phone, Rig
from visitors import ROUTINES, SITE

SECRET = bytes(range(16))
OTHER = bytes(range(1, 17))


class Line:
    """What a Connection is, to a device in this process; `alter(response)` is somebody in the middle."""

    max_payload = 400

    def __init__(self, rig, server=None, alter=lambda response: response):
        self.phone = Phone(rig, server=server)
        self.alter = alter
        self.asked = []

    async def exchange(self, message):
        self.asked.append(message.copy())
        return self.alter(self.phone.send(message))

    async def request(self, message):
        return await block_wise(message, 300, self.exchange)


def labelled(secret=SECRET):
    rig = Rig(ROUTINES)
    public = asyncio.run(sealed.seal(Line(rig, rig.cable), secret))
    return rig, public


def test_a_board_that_was_sealed_over_its_cable_joins_by_radio():
    rig, public = labelled()
    line = Line(rig)

    async def work():
        identity = await sealed.unseal(line, SECRET)
        keys = await make_key(identity)
        assert keys.public == public
        rig.credential = SITE.vouch("kiosk-1", public, keys.seal_public)
        await install(identity, rig.credential, SITE.anchor)

    asyncio.run(work())
    assert rig.device.identity.device_id == "kiosk-1" and rig.radio.name == "kiosk-1"
    protected = [each for each in line.asked if each.option(coap.OSCORE) is not None]
    assert len(protected) >= 3 and all(rig.credential[40:80] not in each.payload for each in line.asked)
    with pytest.raises(Conflict, match="identity-commissioned"):
        asyncio.run(sealed.seal(Line(rig, rig.cable), OTHER))
    with pytest.raises(NotFound, match="sealed-none"):
        asyncio.run(sealed.unseal(Line(rig), SECRET))


def asking(line, secret=SECRET):
    """Ask for the device's key under a label; what comes of it."""

    async def work():
        identity = await sealed.unseal(line, secret)
        return (await make_key(identity)).public

    return asyncio.run(work())


def test_the_label_of_another_board_is_told_from_an_impostor():
    rig, public = labelled()
    with pytest.raises(Untrusted, match="sealed-other"):
        asking(Line(rig), OTHER)
    assert asking(Line(rig)) == public


def test_after_too_many_wrong_proofs_the_host_is_told_to_wait():
    rig, public = labelled()
    rig.device.identity.label[1] = 20
    with pytest.raises(Busy, match="sealed-wait"):
        asking(Line(rig))
    rig.clock.ms += 3600 * 1000
    assert asking(Line(rig)) == public


def forged(code, **more):
    """Somebody who answers protected requests in the clear."""

    def alter(response):
        if response.option(coap.OSCORE) is None and response.code == coap.CONTENT:
            return response  # /id
        return coap.response(code, more.get("payload", b""), coap.CONTENT_CBOR)

    return alter


def changed(response):
    """Somebody who changes what the device answers under protection."""
    if response.option(coap.OSCORE) is not None:
        response.payload = response.payload[:-1] + bytes([response.payload[-1] ^ 1])
    return response


KEY = cbor.encode({1: {1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}})


@pytest.mark.parametrize(
    "alter, kind, reason",
    [
        (forged(coap.CHANGED, payload=KEY), Untrusted, "sealed-impostor"),
        (changed, Untrusted, "sealed-impostor"),
        (forged(coap_numbers.UNAUTHORIZED), Untrusted, "sealed-other"),
        (forged(coap_numbers.SERVICE_UNAVAILABLE), Busy, "sealed-wait"),
        (forged(coap_numbers.FORBIDDEN), Refused, "device-refused"),
    ],
)
def test_nothing_is_believed_of_who_does_not_know_the_label(alter, kind, reason):
    rig, _ = labelled()
    with pytest.raises(kind, match=reason):
        asking(Line(rig, alter=alter))


def test_an_impostor_who_relays_the_answer_to_another_request_is_found_out():
    rig, _ = labelled()
    kept = []

    def alter(response):
        if response.option(coap.OSCORE) is not None:
            kept.append(response.copy())
            response.payload, response.options = kept[0].payload, list(kept[0].options)
        return response

    async def work():
        identity = await sealed.unseal(Line(rig, alter=alter), SECRET)
        await make_key(identity)
        await make_key(identity)

    with pytest.raises(Untrusted, match="sealed-impostor"):
        asyncio.run(work())
    assert len(kept) == 2


def test_a_challenge_that_is_none_is_refused():
    rig, _ = labelled()

    def alter(response):
        body = cbor.decode(response.payload)
        body[7] = body[7][:4]
        response.payload = cbor.encode(body)
        return response

    with pytest.raises(Untrusted, match="sealed-impostor"):
        asking(Line(rig, alter=alter))


def test_the_secret_is_sent_over_the_cable_alone_and_once():
    rig = Rig(ROUTINES)
    cable, air = Line(rig, rig.cable), Line(rig)
    asyncio.run(sealed.seal(cable, SECRET))
    asking(air)
    assert [SECRET in each.payload for each in cable.asked] == [True]
    assert not [each for each in air.asked if SECRET in each.payload]
    assert SECRET not in cbor.encode(cbor.decode(air.phone.plain(coap.GET, "/id").payload))


def test_every_secret_is_new():
    made = {sealed.new_secret() for _ in range(50)}
    assert len(made) == 50 and {len(each) for each in made} == {label.SECRET_LENGTH}
    assert len({sealed.link_name(each) for each in made}) == 50


def test_the_proven_device_may_refuse_in_its_own_words():
    rig, _ = labelled()

    async def work():
        identity = await sealed.unseal(Line(rig), SECRET)
        body = cbor.encode({1: SITE.vouch("kiosk-1", SITE.key.public), 2: SITE.anchor.encode(), 3: WEDNESDAY})
        return checked(await identity.request(coap.request(coap.PUT, "/identity", body, coap.CONTENT_CBOR)))

    with pytest.raises(Refused, match="identity-other-key"):
        asyncio.run(work())
