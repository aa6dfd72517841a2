"""A factory device joins a site over the air, for whoever knows the secret of its sealed label, and for nobody else."""

from admit_device.attempts import delay_ms
from admit_protocol import block_client, cbor, coap, coap_numbers, cose, label, oscore_client
from admit_protocol.suite import Suite
from memory_ports import WEDNESDAY, Dice, PowerCut
from rig import Phone, Rig
from support import raises
from visitors import ROUTINES, SITE, Visitor, reason

SECRET = bytes(range(16))
OTHER = bytes(range(1, 17))
STATE, CHALLENGE = 1, 7
UNAUTHORIZED = coap_numbers.UNAUTHORIZED


def labelled(secret=SECRET):
    """A factory device that has got its label's secret over the cable."""
    rig = Rig(ROUTINES)
    answer = hand_over(rig, secret)
    assert answer.code == coap.CHANGED
    rig.public = cose.decode_key(cbor.decode(answer.payload)[1])[0]
    return rig


def hand_over(rig, secret):
    cable = Phone(rig, server=rig.cable)
    return cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(32), 2: secret}))


class Technician(Phone):
    """A host at the radio who knows a label."""

    def unseal(self, secret=SECRET, challenge=None, kid=None, own=b"technics"):
        """Make the context of that label with the device's challenge; returns self."""
        told = challenge or cbor.decode(self.plain(coap.GET, "/id").payload)[CHALLENGE]
        keys = Suite(Dice(b"technician").random), label.master_secret(secret), b""
        self.context = oscore_client.ClientContext(*keys, kid or label.host_id(secret), b"", told + own)
        return self

    def ask(self, method, path, body):
        """A request that may need several blocks; the inner response, or the outer one that nobody protected."""
        transfer = block_client.Transfer(coap.request(method, path, cbor.encode(body)), 256)
        while True:
            part = transfer.next()
            if part is None:
                return transfer.response
            response = self.protected(part)
            if response.option(coap.OSCORE) is not None:
                return response
            transfer.answer(response)

    def protected(self, message):
        self.outer, reference = self.context.protect_request(message)
        response = self.send(self.outer.copy())
        if response.option(coap.OSCORE) is None:
            response.set_option(coap.OSCORE, b"none")  # tells `ask` that it was in the clear
            return response
        return self.context.unprotect_response(response, reference)

    def make_key(self):
        return self.ask(coap.POST, "/identity", {1: bytes(32)})

    def join(self, rig):
        return self.ask(coap.PUT, "/identity", papers(rig))


def papers(rig):
    rig.credential = SITE.vouch("kiosk-1", rig.public, rig.device.identity.seal_key.public)
    return {1: rig.credential, 2: SITE.anchor.encode(), 3: WEDNESDAY}


def state(rig):
    return cbor.decode(Phone(rig).plain(coap.GET, "/id").payload)[STATE]


def wrong(rig):
    """How many wrong proofs the device has written down."""
    return rig.device.identity.label[1]


def test_who_knows_the_label_takes_the_device_into_a_site_over_the_air():
    rig = labelled()
    technician = Technician(rig).unseal()
    made = technician.make_key()
    assert made.code == coap.CHANGED and cose.decode_key(cbor.decode(made.payload)[1])[0] == rig.public
    assert technician.join(rig).code == coap.CHANGED
    assert state(rig) == "commissioned" and rig.radio.name == "kiosk-1"
    assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT
    rig.boot()
    assert state(rig) == "commissioned"


def test_a_labelled_device_is_found_by_its_labels_name():
    rig = labelled()
    assert rig.radio.name == label.advertised_name(SECRET)
    rig.boot()
    assert rig.radio.name == label.advertised_name(SECRET)
    assert hand_over(rig, OTHER).code == coap.CHANGED
    assert rig.radio.name == label.advertised_name(OTHER) != label.advertised_name(SECRET)


def test_a_device_without_a_label_gives_no_challenge_and_takes_no_protected_request():
    rig = Rig(ROUTINES)
    phone = Technician(rig)
    assert CHALLENGE not in cbor.decode(phone.plain(coap.GET, "/id").payload)
    phone.unseal(challenge=bytes(8))
    assert phone.make_key().code == UNAUTHORIZED
    assert rig.device.identity.key is None


def test_another_label_opens_nothing_and_leaves_no_trace():
    rig = labelled()
    changes = rig.keystore.changes
    technician = Technician(rig)
    for _ in range(10):
        assert technician.unseal(OTHER).make_key().code == UNAUTHORIZED
    assert (state(rig), rig.keystore.changes) == ("factory", changes)
    assert technician.unseal().make_key().code == coap.CHANGED


def test_who_forges_a_proof_is_counted_before_it_is_checked_and_must_wait_longer_each_time():
    """The forger has heard the label's kid on the air, and does not know the key."""
    rig = labelled()
    forger = Technician(rig)
    rig.clock.ms += 1000
    for count in range(1, 8):
        refused = forger.unseal(OTHER, kid=label.host_id(SECRET)).make_key()
        assert (refused.code, wrong(rig)) == (coap.BAD_REQUEST, count)
        if count >= 5:
            forger.unseal(OTHER, kid=label.host_id(SECRET))
            assert forger.make_key().code == coap_numbers.SERVICE_UNAVAILABLE
            rig.clock.ms += delay_ms(count) - 1
            assert Technician(rig).unseal().make_key().code == coap_numbers.SERVICE_UNAVAILABLE
            assert wrong(rig) == count
            rig.clock.ms += 1
    assert Technician(rig).unseal().make_key().code == coap.CHANGED
    assert wrong(rig) == 0


def test_the_delay_doubles_up_to_an_hour():
    assert [delay_ms(count) for count in (0, 4, 5, 6, 7, 16, 17, 100, 10**9)] == (
        [0, 0, 1000, 2000, 4000, 2048000, 3600000, 3600000, 3600000]
    )


def test_neither_a_restart_nor_a_power_cut_in_the_attempt_gives_one_away():
    rig = labelled()
    for count in range(1, 6):
        assert Technician(rig).unseal(OTHER, kid=label.host_id(SECRET)).make_key().code == coap.BAD_REQUEST
        rig.clock.ms = 1000
        rig.boot()
        assert wrong(rig) == count
    rig.clock.ms = 999
    assert Technician(rig).unseal().make_key().code == coap_numbers.SERVICE_UNAVAILABLE
    rig.clock.ms = 1000
    rig.keystore.cut_after = 1  # the count is written, the rest is not
    with raises(PowerCut):
        Technician(rig).unseal().make_key()
    rig.keystore.cut_after = None
    rig.boot()
    assert wrong(rig) == 6


def test_what_cannot_be_counted_is_not_checked():
    rig = labelled()
    technician = Technician(rig).unseal()
    rig.keystore.full = True
    assert technician.make_key().code == coap_numbers.INTERNAL_SERVER_ERROR
    rig.keystore.full = False
    assert technician.unseal().make_key().code == coap.CHANGED


def test_a_recorded_request_is_worth_nothing_on_its_link_on_another_or_after_a_restart():
    rig = labelled()
    technician = Technician(rig).unseal()
    technician.make_key()
    recorded = technician.outer
    assert technician.send(recorded.copy()).code == UNAUTHORIZED  # the replay window
    neighbour = Technician(rig)
    assert neighbour.send(recorded.copy()).code == UNAUTHORIZED  # no challenge
    neighbour.plain(coap.GET, "/id")
    assert neighbour.send(recorded.copy()).code == UNAUTHORIZED  # another challenge
    rig.boot()
    neighbour = Technician(rig)
    neighbour.plain(coap.GET, "/id")
    assert neighbour.send(recorded.copy()).code == UNAUTHORIZED
    assert wrong(rig) == 0


def test_a_challenge_is_spent_by_its_first_use_whatever_comes_of_it():
    rig = labelled()
    phone = Technician(rig)
    challenge = cbor.decode(phone.plain(coap.GET, "/id").payload)[CHALLENGE]
    assert phone.unseal(OTHER, challenge, label.host_id(SECRET)).make_key().code == coap.BAD_REQUEST
    assert phone.unseal(SECRET, challenge).make_key().code == UNAUTHORIZED
    assert phone.unseal(SECRET).make_key().code == coap.CHANGED


def test_no_challenge_comes_twice_and_each_makes_other_keys():
    rig = labelled()
    phones = [Technician(rig) for _ in range(3)]
    told = [cbor.decode(each.plain(coap.GET, "/id").payload)[CHALLENGE] for each in phones + phones]
    rig.boot()
    told += [cbor.decode(Technician(rig).plain(coap.GET, "/id").payload)[CHALLENGE]]
    assert len(set(told)) == 7 and {len(each) for each in told} == {8}
    contexts = [Technician(rig).unseal(challenge=each).context for each in told]
    assert len({each._sender_key for each in contexts} | {each._recipient_key for each in contexts}) == 14


def test_a_challenge_of_one_link_is_not_of_another():
    rig = labelled()
    one, other = Technician(rig), Technician(rig)
    challenge = cbor.decode(one.plain(coap.GET, "/id").payload)[CHALLENGE]
    other.plain(coap.GET, "/id")
    assert other.unseal(challenge=challenge).make_key().code == UNAUTHORIZED
    assert one.unseal(challenge=challenge).make_key().code == coap.CHANGED


def test_the_label_is_dead_once_the_device_has_joined():
    rig = labelled()
    assert SECRET in rig.keystore.files["identity"]
    technician = Technician(rig).unseal()
    assert technician.join(rig).code == coap.CHANGED
    assert SECRET not in rig.keystore.files["identity"] and rig.device.identity.label is None
    assert CHALLENGE not in cbor.decode(technician.plain(coap.GET, "/id").payload)
    assert technician.make_key().code == UNAUTHORIZED  # the old context
    assert technician.unseal(challenge=bytes(8)).make_key().code == UNAUTHORIZED
    rig.boot()
    assert Technician(rig).unseal(challenge=bytes(8)).make_key().code == UNAUTHORIZED


def test_joining_over_the_cable_ends_the_label_too():
    rig = labelled()
    cable = Phone(rig, server=rig.cable)
    assert cable.plain(coap.PUT, "/identity", cbor.encode(papers(rig))).code == coap.CHANGED
    assert SECRET not in rig.keystore.files["identity"]
    refused = hand_over(rig, OTHER)
    assert (refused.code, reason(refused)) == (coap_numbers.CONFLICT, "identity-commissioned")
    assert rig.device.identity.label is None


def test_a_new_label_replaces_the_old_one_and_its_count():
    rig = labelled()
    Technician(rig).unseal(OTHER, kid=label.host_id(SECRET)).make_key()
    assert wrong(rig) == 1
    key = rig.public
    answer = hand_over(rig, OTHER)
    assert cose.decode_key(cbor.decode(answer.payload)[1])[0] == key and wrong(rig) == 0
    assert Technician(rig).unseal(SECRET).make_key().code == UNAUTHORIZED
    assert Technician(rig).unseal(OTHER).make_key().code == coap.CHANGED


def test_who_proved_a_label_that_was_replaced_meanwhile_is_out():
    rig = labelled()
    technician = Technician(rig).unseal()
    assert technician.make_key().code == coap.CHANGED
    assert hand_over(rig, OTHER).code == coap.CHANGED
    assert technician.join(rig).code == UNAUTHORIZED
    assert (state(rig), wrong(rig)) == ("factory", 0)
    forged = technician.context
    forged.sender_id = label.host_id(OTHER)
    assert technician.join(rig).code == UNAUTHORIZED
    assert technician.unseal(OTHER).join(rig).code == coap.CHANGED


def test_a_label_comes_over_the_cable_alone_and_has_16_bytes():
    rig = labelled()
    technician = Technician(rig).unseal()
    refused = technician.ask(coap.POST, "/identity", {1: bytes(32), 2: OTHER})
    assert (refused.code, reason(refused)) == (coap_numbers.FORBIDDEN, "commissioning-cable-only")
    for body in (b"", SECRET[1:], SECRET + b"\0", "text", 5, None):
        refused = hand_over(rig, body)
        assert (refused.code, reason(refused)) == (coap.BAD_REQUEST, "commissioning-label")
    assert rig.device.identity.label == [SECRET, 0]


def test_without_the_label_the_air_still_commissions_nobody():
    rig = labelled()
    phone = Phone(rig)
    for method in (coap.POST, coap.PUT):
        refused = phone.plain(method, "/identity", cbor.encode({1: bytes(32)}))
        assert (refused.code, reason(refused)) == (coap_numbers.FORBIDDEN, "commissioning-cable-only")


def test_the_papers_are_checked_over_the_air_as_over_the_cable():
    rig = labelled()
    body = papers(rig)
    body[1] = SITE.vouch("kiosk-1", SITE.key.public)
    technician = Technician(rig).unseal()
    assert reason(technician.ask(coap.PUT, "/identity", body)) == "identity-other-key"
    assert technician.join(rig).code == coap.CHANGED


def test_an_impostor_without_the_secret_cannot_answer():
    """The device proves itself by its answer: one made under another secret does not open."""
    rig, impostor = labelled(), labelled(OTHER)
    technician = Technician(impostor).unseal()
    assert technician.make_key().code == UNAUTHORIZED
    assert Technician(rig).unseal().make_key().code == coap.CHANGED


def test_a_proven_host_keeps_its_link_and_a_silent_stranger_does_not():
    rig = labelled()
    technician, stranger = Technician(rig).unseal(), Phone(rig)
    technician.make_key()
    rig.pass_s(4)
    assert rig.radio.closed == [stranger.number]
    assert technician.join(rig).code == coap.CHANGED


def test_what_is_kept_of_a_proven_host_goes_with_its_link():
    rig = labelled()
    technician = Technician(rig).unseal()
    body = cbor.encode(papers(rig))
    first = coap.request(coap.PUT, "/identity", body)
    part = block_client.Transfer(first, 256).next()
    assert technician.protected(part).code == coap.CONTINUE
    uploads = rig.device.front._exchange._bodies._blocks[True][0]
    assert len(uploads._uploads) == 1
    rig.radio.listener.closed(technician.number)
    assert len(uploads._uploads) == 0


def test_a_power_cut_at_any_write_leaves_a_device_that_the_same_label_takes_in():
    cut, done = 0, False
    while not done:
        rig = labelled()
        rig.keystore.cut_after = cut
        try:
            Technician(rig).unseal().join(rig)
            done = True
        except PowerCut:
            pass
        rig.keystore.cut_after = None
        rig.boot()
        if state(rig) == "factory":
            assert rig.device.identity.label[0] == SECRET and not rig.device.identity.credential
            assert Technician(rig).unseal().join(rig).code == coap.CHANGED
        assert state(rig) == "commissioned"
        assert SECRET not in rig.keystore.files["identity"]
        cut += 1
    assert cut == 4  # counted, counted no more, joined; and then not at all


def test_a_restart_between_key_and_credential_costs_a_new_challenge_and_no_more():
    rig = labelled()
    technician = Technician(rig).unseal()
    technician.make_key()
    rig.boot()
    lost = Technician(rig)
    lost.context = technician.context
    assert lost.join(rig).code == UNAUTHORIZED
    assert lost.unseal().join(rig).code == coap.CHANGED


def test_hostile_options_are_refused_by_name_and_kill_nothing():
    rig = labelled()
    phone = Technician(rig)
    for value in (b"", b"\x00", b"\xff", b"\x19\x00\xff", b"\x19\x00\x00", b"\x19\x00\x10" + bytes(16)):
        phone.plain(coap.GET, "/id")
        message = coap.request(coap.POST, "/identity", bytes(20))
        message.set_option(coap.OSCORE, value)
        assert phone.send(message).code in (UNAUTHORIZED, coap_numbers.BAD_OPTION)
    assert wrong(rig) == 0
    assert phone.unseal().make_key().code == coap.CHANGED
