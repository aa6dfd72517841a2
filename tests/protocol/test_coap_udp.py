"""The message layer over datagrams: RFC 7252 section 4, told as conversations between two layers or with raw bytes."""

from admit_protocol import coap, coap_numbers
from admit_protocol.coap import CONTENT, GET, OBSERVE, Message, request
from admit_protocol.coap_udp import (
    ACK,
    CON,
    NON,
    RST,
    UdpLayer,
    decode_datagram,
    encode_datagram,
)
from admit_protocol.errors import LocalError, Malformed
from limits import EXCHANGE_LIFETIME_MS, MAX_EXCHANGES
from support import raises


def fixed(number):
    """A `random` that makes the first message id number + 1, and the jitter constant."""
    return lambda length: number.to_bytes(length, "big")


def client(mid=0x7D34):
    return UdpLayer(fixed(mid - 1))


def server(mid=0xAD7B):
    return UdpLayer(fixed(mid - 1))


def temperature(token=b""):
    asked = request(GET, "/temperature")
    asked.token = token
    return asked


def answer(asked, payload=b"22.3 C", code=CONTENT):
    return Message(code, asked.token, (), payload)


def drain(layer, now_ms=0):
    """Everything that the layer has to say now."""
    datagrams = []
    while True:
        datagram = layer.outgoing(now_ms)
        if datagram is None:
            return datagrams
        datagrams.append(datagram)


def head(datagram):
    """(type, code, message id) of a datagram."""
    kind, mid, message = decode_datagram(datagram)
    return kind, message.code, mid


def test_figure_16_a_piggybacked_response_byte_for_byte():
    a, b = client(), server()
    a.send(temperature(), 0)
    assert drain(a) == [bytes.fromhex("40017d34bb74656d7065726174757265")]
    (asked,) = b.receive(bytes.fromhex("40017d34bb74656d7065726174757265"), 0)
    assert asked.path == ("temperature",) and asked.confirmable
    b.send(answer(asked), 10)
    assert drain(b, 10) == [bytes.fromhex("60457d34ff32322e332043")]
    (answered,) = a.receive(bytes.fromhex("60457d34ff32322e332043"), 20)
    assert (answered.code, answered.payload) == (CONTENT, b"22.3 C")
    assert a.deadline() is None and b.deadline() is None
    assert drain(a, 10**6) == [] and a.failed() == []


def test_figure_17_with_a_token():
    a, b = client(0x7D35), server()
    a.send(temperature(b"\x20"), 0)
    assert drain(a) == [bytes.fromhex("41017d3520bb74656d7065726174757265")]
    (asked,) = b.receive(bytes.fromhex("41017d3520bb74656d7065726174757265"), 0)
    response = answer(asked)
    response.confirmable = False  # is for responses of their own; this one still rides on the acknowledgement
    b.send(response, 0)
    assert drain(b) == [bytes.fromhex("61457d3520ff32322e332043")]


def test_figure_18_a_lost_request_is_sent_again():
    a, b = client(0x7D36), server()
    a.send(temperature(b"\x31"), 0)
    (first,) = drain(a)
    due_ms = a.deadline()
    assert 2000 <= due_ms <= 3000
    assert drain(a, due_ms - 1) == []
    assert drain(a, due_ms) == [first]
    (asked,) = b.receive(first, due_ms)
    b.send(answer(asked), due_ms)
    (ack,) = drain(b, due_ms)
    assert len(a.receive(ack, due_ms)) == 1
    assert a.deadline() is None


def test_figure_19_a_lost_response_is_repeated_and_the_request_not_executed_again():
    a, b = client(0x7D37), server()
    a.send(temperature(b"\x42"), 0)
    (datagram,) = drain(a)
    (asked,) = b.receive(datagram, 0)
    b.send(answer(asked), 0)
    (lost,) = drain(b)
    for at_ms in (2500, 7500, 17500, 37500):
        assert b.receive(datagram, at_ms) == []
        assert drain(b, at_ms) == [lost]
    assert len(a.receive(lost, 37500)) == 1
    assert a.receive(lost, 37501) == []


def test_figure_20_a_separate_response():
    a, b = client(0x7D38), server(0xAD7B)
    a.send(temperature(b"\x53"), 0)
    (datagram,) = drain(a)
    (asked,) = b.receive(datagram, 0)
    assert b.deadline() == 1000
    assert drain(b, 999) == []
    (ack,) = drain(b, 1000)
    assert ack == bytes.fromhex("60007d38")
    assert a.receive(ack, 1000) == []
    assert a.deadline() is None and drain(a, 10**6) == []  # acknowledged: no more retransmissions
    assert b.receive(datagram, 1500) == []  # a late duplicate gets the same acknowledgement
    assert drain(b, 1500) == [ack]
    b.send(answer(asked), 3000)
    (separate,) = drain(b, 3000)
    assert head(separate) == (CON, CONTENT, 0xAD7B)
    (answered,) = a.receive(separate, 3010)
    assert answered.payload == b"22.3 C"
    assert drain(a, 3010) == [bytes.fromhex("6000ad7b")]
    assert a.receive(separate, 5000) == []  # its acknowledgement was lost
    assert drain(a, 5000) == [bytes.fromhex("6000ad7b")]
    assert b.receive(bytes.fromhex("6000ad7b"), 5010) == []
    assert b.deadline() is None


def test_figure_21_a_client_that_forgot_its_request_resets_the_response():
    a, b = client(0x7D39), server(0xAD7C)
    a.send(temperature(b"\x64"), 0)
    (datagram,) = drain(a)
    (asked,) = b.receive(datagram, 0)
    drain(b, 1000)
    b.send(answer(asked), 1000)
    (separate,) = drain(b, 1000)
    rebooted = client(0x1111)
    assert rebooted.receive(separate, 1000) == []
    assert drain(rebooted, 1000) == [bytes.fromhex("7000ad7c")]
    b.receive(bytes.fromhex("7000ad7c"), 1000)
    assert b.failed() == [b"\x64"] and b.failed() == []
    assert drain(b, 10**6) == []


def test_figure_22_non_confirmable_request_and_response():
    a, b = client(0x7D40), server(0xAD7D)
    asked = temperature(b"\x75")
    asked.confirmable = False
    a.send(asked, 0)
    (datagram,) = drain(a)
    assert head(datagram) == (NON, GET, 0x7D40)
    assert a.deadline() is None
    (asked,) = b.receive(datagram, 0)
    assert not asked.confirmable
    assert b.deadline() is None
    assert b.receive(datagram, 1) == []  # a duplicate is ignored in silence
    assert drain(b, 1) == []
    b.send(answer(asked), 2)
    (response,) = drain(b, 2)
    assert head(response) == (NON, CONTENT, 0xAD7D)
    assert len(a.receive(response, 3)) == 1
    assert a.receive(response, 4) == []
    assert drain(a, 4) == []


def test_retransmission_backs_off_four_times_and_then_the_token_has_failed():
    for random, first_ms in ((lambda length: bytes(length), 2000), (lambda length: b"\xff" * length, 3000)):
        a = UdpLayer(random)
        a.send(temperature(b"t"), 0)
        (datagram,) = drain(a)
        sent_ms = []
        while a.deadline() is not None:
            now_ms = a.deadline()
            if drain(a, now_ms) == [datagram]:
                sent_ms.append(now_ms)
        assert sent_ms == [first_ms * n for n in (1, 3, 7, 15)]  # MAX_TRANSMIT_SPAN 45 s
        assert now_ms == first_ms * 31  # MAX_TRANSMIT_WAIT 93 s
        assert a.failed() == [b"t"]
        late = encode_datagram(ACK, decode_datagram(datagram)[1], answer(temperature(b"t")))
        assert a.receive(late, now_ms) == []


def test_one_confirmable_message_of_ours_at_a_time():
    a = client(1)
    for token in (b"1", b"2", b"3"):
        a.send(temperature(token), 0)
    assert [head(datagram)[2] for datagram in drain(a)] == [1]
    a.receive(encode_datagram(ACK, 1), 10)
    assert [head(datagram)[2] for datagram in drain(a, 10)] == [2]
    a.receive(encode_datagram(RST, 2), 20)
    assert a.failed() == [b"2"]
    assert a.deadline() == 0  # something may go at once
    assert [head(datagram)[2] for datagram in drain(a, 20)] == [3]
    # The separate response to 1 comes while 3 flies; the response to 3 overtakes its acknowledgement.
    assert len(a.receive(encode_datagram(CON, 9, Message(CONTENT, b"1")), 30)) == 1
    assert head(drain(a, 30)[0]) == (ACK, 0, 9)
    assert len(a.receive(encode_datagram(CON, 10, Message(CONTENT, b"3")), 40)) == 1
    assert head(drain(a, 40)[0]) == (ACK, 0, 10)
    assert a.deadline() is None


def test_both_sides_ask_each_other_at_the_same_moment():
    a, b = client(5), server(5)
    a.send(temperature(b"a"), 0)
    b.send(temperature(b"b"), 0)
    (from_a,), (from_b,) = drain(a), drain(b)
    (asks_b,), (asks_a,) = a.receive(from_b, 1), b.receive(from_a, 1)
    a.send(answer(asks_b, b"of a"), 2)
    b.send(answer(asks_a, b"of b"), 2)
    (from_a,), (from_b,) = drain(a, 2), drain(b, 2)
    assert [message.payload for message in a.receive(from_b, 3)] == [b"of b"]
    assert [message.payload for message in b.receive(from_a, 3)] == [b"of a"]
    assert a.deadline() is None and b.deadline() is None


def test_a_ping_is_answered_by_a_reset():
    b = server()
    assert b.receive(bytes.fromhex("40001234"), 0) == []
    assert drain(b) == [bytes.fromhex("70001234")]


def test_what_rejects_and_what_is_ignored():
    for data, reaction in (
        ("", ""),  # nothing at all
        ("400112", ""),  # shorter than a head
        ("80011234", ""),  # version 2
        ("00011234", ""),  # version 0
        ("49011234" + "00" * 9, "70001234"),  # CON, token length 9
        ("42011234" + "00", "70001234"),  # CON, token cut off
        ("40011234f0", "70001234"),  # CON, option nibble 15
        ("40011234ff", "70001234"),  # CON, payload marker without payload
        ("40211234", "70001234"),  # CON, class 1
        ("40e11234", "70001234"),  # CON, signalling code 7.01
        ("4000123400", "70001234"),  # CON, Empty with a byte too much
        ("40451234", "70001234"),  # CON, a response that nobody asked for
        ("50451234", "70001234"),  # NON, likewise
        ("50001234", ""),  # NON, Empty
        ("50011234ff", ""),  # NON, malformed
        ("60011234", ""),  # ACK with a request
        ("60001234", ""),  # ACK of nothing
        ("60451234", ""),  # piggybacked response to nothing
        ("70001234", ""),  # RST of nothing
        ("70011234", ""),  # RST with a request
        ("7000123400", ""),  # RST, malformed
    ):
        b = server()
        assert b.receive(bytes.fromhex(data), 0) == [], data
        assert "".join([datagram.hex() for datagram in drain(b, 5000)]) == reaction, data
        assert b.failed() == []


def test_garbage_is_counted_and_named():
    b = server()
    for count, (data, reason) in enumerate(
        (
            ("400112", "coap-truncated"),
            ("80011234", "coap-version"),
            ("49011234" + "00" * 9, "coap-token-length"),
            ("42011234" + "00", "coap-truncated"),
            ("40c11234", "coap-code"),
            ("4100123400", "coap-empty"),
            ("40011234ff", "coap-empty-payload"),
        )
    ):
        with raises(Malformed, reason):
            decode_datagram(bytes.fromhex(data))
        b.receive(bytes.fromhex(data), 0)
        assert b.garbage == count + 1


def test_an_acknowledgement_must_match_id_and_token():
    a = client(1)
    a.send(temperature(b"mine"), 0)
    drain(a)
    for kind, mid, token in ((ACK, 1, b"else"), (ACK, 2, b"mine"), (ACK, 1, b"")):
        assert a.receive(encode_datagram(kind, mid, Message(CONTENT, token)), 1) == []
    assert a.deadline() is not None  # still waits
    assert len(a.receive(encode_datagram(ACK, 1, Message(CONTENT, b"mine")), 2)) == 1


def test_an_observation_gets_many_responses_until_it_is_forgotten():
    a, b = client(1), server(100)
    asked = temperature(b"o")
    asked.set_option(OBSERVE, 0)
    a.send(asked, 0)
    (datagram,) = drain(a)
    (asked,) = b.receive(datagram, 0)
    b.send(answer(asked).with_option(OBSERVE, 1), 0)
    (first,) = drain(b)
    assert len(a.receive(first, 0)) == 1
    for number, confirmable in ((2, False), (3, True)):
        notification = answer(asked).with_option(OBSERVE, number)
        notification.confirmable = confirmable
        b.send(notification, 1000)
        (datagram,) = drain(b, 1000)
        assert head(datagram)[0] == (CON if confirmable else NON)
        assert [message.uint(OBSERVE) for message in a.receive(datagram, 1000)] == [number]
        for ack in drain(a, 1000):
            b.receive(ack, 1000)
    a.forget(b"o")
    notification.confirmable = False
    b.send(notification, 2000)
    (datagram,) = drain(b, 2000)
    assert a.receive(datagram, 2000) == []
    (reset,) = drain(a, 2000)
    assert head(reset)[0] == RST
    b.receive(reset, 2000)
    assert b.failed() == [b"o"]


def test_a_response_without_observe_ends_an_observation():
    a = client(1)
    asked = temperature(b"o")
    asked.set_option(OBSERVE, 0)
    a.send(asked, 0)
    drain(a)
    assert len(a.receive(encode_datagram(ACK, 1, Message(coap_numbers.NOT_FOUND, b"o")), 0)) == 1
    assert a.receive(encode_datagram(NON, 7, Message(CONTENT, b"o", [(OBSERVE, 1)])), 1) == []
    assert head(drain(a, 1)[0])[0] == RST


def test_who_did_not_ask_to_observe_gets_one_response():
    a = client(1)
    a.send(temperature(b"t"), 0)
    drain(a)
    assert len(a.receive(encode_datagram(ACK, 1, Message(CONTENT, b"t", [(OBSERVE, 1)])), 0)) == 1
    assert a.receive(encode_datagram(NON, 7, Message(CONTENT, b"t", [(OBSERVE, 2)])), 1) == []
    assert head(drain(a, 1)[0])[0] == RST


def test_a_forgotten_request_is_neither_repeated_nor_sent():
    a = client(1)
    a.send(temperature(b"1"), 0)
    a.send(temperature(b"2"), 0)
    drain(a)
    a.forget(b"1")
    a.forget(b"2")
    assert a.deadline() is None and drain(a, 10**6) == [] and a.failed() == []


def test_a_slow_observer_waits_for_one_notification_only():
    b = server(100)
    for number in range(1, 50):
        b.send(Message(CONTENT, b"o", [(OBSERVE, number)]), 0)
        drain(b)
    b.receive(encode_datagram(ACK, 100), 1)
    (datagram,) = drain(b, 1)
    assert decode_datagram(datagram)[2].uint(OBSERVE) == 49


def test_a_peer_that_acknowledges_nothing_costs_bounded_memory():
    b = server(100)
    for number in range(1000):
        asked = encode_datagram(CON, number, temperature(number.to_bytes(2, "big")))
        (message,) = b.receive(asked, number * 1001)
        drain(b, number * 1001 + 1000)
        b.send(answer(message, bytes(1000)), number * 1001 + 1000)
    assert len(b._queue) == coap.MAX_QUEUE
    assert len(b.failed()) == 16


def test_an_id_is_remembered_for_its_lifetime_and_no_longer():
    b = server()
    datagram = encode_datagram(CON, 7, temperature(b"t"))
    (asked,) = b.receive(datagram, 0)
    b.send(answer(asked), 0)
    drain(b)
    assert b.receive(datagram, EXCHANGE_LIFETIME_MS - 1) == []
    assert len(b.receive(datagram, EXCHANGE_LIFETIME_MS)) == 1


def test_an_id_with_another_token_is_a_peer_that_started_anew():
    b = server()
    assert len(b.receive(encode_datagram(CON, 7, temperature(b"before")), 0)) == 1
    assert len(b.receive(encode_datagram(CON, 7, temperature(b"after")), 1)) == 1


def test_memory_is_bounded_and_old_answers_go_first():
    b = server()
    asked = [encode_datagram(CON, mid, temperature(mid.to_bytes(2, "big"))) for mid in range(100)]
    for datagram in asked:
        (message,) = b.receive(datagram, 0)
        b.send(answer(message, bytes(1000)), 0)
        drain(b)
    assert len(b._exchanges) == MAX_EXCHANGES
    assert len([exchange for exchange in b._exchanges if exchange.answer]) == 4
    assert b.receive(asked[99], 1) == [] and len(drain(b, 1)) == 1
    assert b.receive(asked[70], 1) == [] and drain(b, 1) == []  # known, its answer gone: silence, not execution
    for mid in range(1000):
        b.receive(encode_datagram(CON, mid), 2)  # a flood of pings that we have no time to answer
    assert len(drain(b, 2)) <= 16


def test_a_request_that_is_never_answered_is_acknowledged_once():
    b = server()
    b.receive(encode_datagram(CON, 7, temperature(b"t")), 0)
    assert len(drain(b, 1000)) == 1
    assert b.deadline() is None and drain(b, 10**6) == []


def test_a_message_must_fit_a_datagram():
    a = client()
    with raises(LocalError, "coap-too-long"):
        a.send(Message(GET, b"t", (), bytes(a.max_payload)), 0)
    a.send(Message(GET, b"t", (), bytes(a.max_payload - 6)), 0)
    assert len(drain(a)[0]) == a.max_payload == 1152
    a.confirmed(0)  # the same interface as GattLayer's; nothing to confirm here


def test_message_ids_wrap_around():
    a = client(0xFFFF)
    for token in (b"1", b"2"):
        asked = temperature(token)
        asked.confirmable = False
        a.send(asked, 0)
    assert [head(datagram)[2] for datagram in drain(a)] == [0xFFFF, 0]


def test_every_exchange_ends_well_over_a_network_that_loses_repeats_and_reorders():
    """Ten requests each over 40 networks: every request is executed at most once, and answered or given up."""
    for seed in range(40):
        network = Network(seed)
        answered, failed = network.run(10)
        assert len(network.executed) == len(set(network.executed))
        assert answered + failed == 10
        assert answered >= 8, (seed, answered)  # 30 % loss each way, five tries


class Network:
    """Two layers and what lies between them, driven by a small deterministic generator."""

    def __init__(self, seed):
        self.state = seed + 1
        self.a, self.b = client(100), server(100)
        self.now_ms = 0
        self.wire = []  # (arrival time, number, to b, datagram)
        self.executed = []
        self.later = []  # (time, request) that b answers slowly

    def roll(self, sides):
        self.state = self.state * 1103515245 + 12345 & 0x7FFFFFFF
        return (self.state >> 16) % sides

    def post(self):
        for layer, to_b in ((self.a, True), (self.b, False)):
            for datagram in drain(layer, self.now_ms):
                for _ in range((0, 0, 0, 1, 1, 1, 1, 1, 1, 2)[self.roll(10)]):
                    self.wire.append((self.now_ms + 1 + self.roll(400), len(self.wire), to_b, datagram))

    def deliver(self):
        for item in sorted([item for item in self.wire if item[0] <= self.now_ms]):
            self.wire.remove(item)
            if not item[2]:
                for message in self.a.receive(item[3], self.now_ms):
                    self.answers.append(message.token)
            else:
                for message in self.b.receive(item[3], self.now_ms):
                    self.executed.append(message.token)
                    self.later.append((self.now_ms + (0, 1500)[self.roll(2)], message))
        for due_ms, message in self.later[:]:
            if due_ms <= self.now_ms:
                self.later.remove((due_ms, message))
                self.b.send(answer(message), self.now_ms)

    def run(self, count):
        self.answers = []
        failed = 0
        for number in range(count):
            self.a.send(temperature(bytes((number,))), self.now_ms)
            end_ms = self.now_ms + 200000
            while self.now_ms < end_ms and bytes((number,)) not in self.answers:
                self.post()
                times = [item[0] for item in self.wire] + [due_ms for due_ms, _ in self.later] + [end_ms]
                times += [due for due in (self.a.deadline(), self.b.deadline()) if due is not None]
                self.now_ms = max(self.now_ms, min(times))
                self.deliver()
            if bytes((number,)) not in self.answers:
                failed += 1
            self.a.failed()
        return len(set(self.answers)), failed
