"""The message layer over GATT: draft-ietf-core-coap-over-gatt-00 section 3.2, minimal use (3.2.2)."""

import gc

from admit_protocol import coap
from admit_protocol.coap import CONTENT, EMPTY, GET, Message, request
from admit_protocol.errors import LocalError, Malformed, Unsupported
from admit_protocol.gatt import CONFIRM, GattLayer, decode_value, encode_value
from support import raises

TIMEOUT_MS = 5000


def pair(mtu=515):
    return GattLayer(False, mtu), GattLayer(True, mtu)


def asking(token):
    message = request(GET, "/r")
    message.token = token
    return message


def answer(message, payload=b"ok"):
    return Message(CONTENT, message.token, (), payload)


def bits(value):
    """The first byte as letters: M, C, A where set, then the token length."""
    letters = "".join([letter for letter, mask in (("R", 128), ("M", 64), ("C", 32), ("A", 16)) if value[0] & mask])
    return letters + str(value[0] & 15)


def test_a_request_and_a_piggybacked_response_byte_for_byte():
    client, server = pair()
    client.send(asking(b"\x01"), 0)
    value = client.outgoing(0)
    assert value == bytes.fromhex("2101" + "01" + "b172")  # M=0 C=1 A=0 TKL=1, GET, token, Uri-Path r
    assert client.outgoing(0) is None
    (asked,) = server.receive(value, 0)
    assert asked.path == ("r",)
    server.send(answer(asked), 0)
    value = server.outgoing(0)
    assert value == bytes.fromhex("2145" + "01" + "ff6f6b")  # M=0 C=1 A=0: the first message that the client confirmed
    assert server.outgoing(0) is None
    (answered,) = client.receive(value, 0)
    assert answered.payload == b"ok"
    value = client.outgoing(0)
    assert value == b"\x00"  # empty: M=0 C=0 A=0
    assert server.receive(value, 0) == []
    server.confirmed(0)
    assert client.deadline() is None and server.deadline() is None
    client.send(asking(b"\x02"), 0)
    value = client.outgoing(0)
    assert bits(value) == "MC1"
    (asked,) = server.receive(value, 0)
    server.send(answer(asked), 0)
    assert bits(server.outgoing(0)) == "MCA1"


def test_a_slow_response_comes_after_an_acknowledgement_of_its_own():
    client, server = pair()
    client.send(asking(b"t"), 0)
    (asked,) = server.receive(client.outgoing(0), 0)
    assert server.deadline() == 0  # acknowledge at once
    ack = server.outgoing(0)
    assert ack == b"\x40"  # empty: M=1, the id before any message
    assert client.receive(ack, 1) == []
    assert client.deadline() is None
    server.send(answer(asked), 2)
    assert server.outgoing(2) is None  # the acknowledgement's indication is not confirmed yet
    server.confirmed(3)
    assert bits(server.outgoing(3)) == "C1"


def test_a_peer_whose_first_id_is_1_is_understood():
    # The draft's own example (section 3.2.8) and RIOT begin with 1.
    server = GattLayer(True, 515)
    (asked,) = server.receive(bytes.fromhex("61010174"), 0) or [None]
    assert asked is None and server.garbage == 1  # option 7 with four bytes missing
    (asked,) = server.receive(bytes.fromhex("610101"), 0)
    server.send(answer(asked), 0)
    assert bits(server.outgoing(0)) == "CA1"  # acknowledges 1
    server.confirmed(0)
    assert len(server.receive(bytes.fromhex("210102"), 1)) == 1  # A=0: our first id; M=0 follows 1
    assert bits(server.outgoing(1)) == "0"


def test_the_drafts_example_as_a_client_sees_it():
    # Section 3.2.8, the server's side as written there; our requests begin with M=0, its acknowledgements follow.
    client = GattLayer(False, 515)
    client.send(Message(GET, b"\x01", [(coap.OBSERVE, 0), (coap.URI_PATH, b"temp")]), 0)
    client.send(Message(GET, b"\x02", [(coap.URI_PATH, b"model")]), 0)
    assert bits(client.outgoing(0)) == "C1"
    (first,) = client.receive(b"\x41\x45\x01\x61\x01\xff22\xc2\xb0C", 1)  # unreliable: M=1 C=0 A=0
    assert first.uint(coap.OBSERVE) == 1
    assert bits(client.outgoing(1)) == "MC1"  # acknowledged, and no acknowledgement owed: the next request goes
    (model,) = client.receive(b"\x71\x45\x02\xffExampleScan", 2)
    assert model.payload == b"ExampleScan"
    assert client.outgoing(2) == b"\x50"
    assert len(client.receive(b"\x11\x45\x01\x61\x03\xff20\xc2\xb0C", 3)) == 1
    assert client.outgoing(3) is None
    (last,) = client.receive(b"\x31\x45\x01\x61\x04\xff20\xc2\xb0C", 4)
    assert last.uint(coap.OBSERVE) == 4
    assert client.outgoing(4) == b"\x40"
    assert client.deadline() is None and client.failed() == []


def test_a_duplicate_is_ignored_up_to_its_token():
    client, server = pair()
    client.send(asking(b"t"), 0)
    value = client.outgoing(0)
    assert len(server.receive(value, 0)) == 1
    server.outgoing(0)
    server.confirmed(0)
    assert server.receive(value, 1) == []
    assert server.receive(value[:3] + b"\xb1z", 2) == []  # the same up to the token
    assert server.outgoing(2) is None  # and no second acknowledgement
    assert len(server.receive(b"\x61\x01t\xb1r", 3)) == 1  # another id


def test_hostile_values_are_ignored_whole():
    for value, reason in (
        (b"", "gatt-truncated"),
        (b"\x80", "gatt-reserved-bit"),
        (b"\xa1\x01t", "gatt-reserved-bit"),
        (b"\x29\x01" + bytes(9), "gatt-token-length"),
        (b"\x2f", "gatt-token-length"),
        (b"\x01", "gatt-empty"),  # an empty message with a token length
        (b"\x20\x00", "gatt-empty"),  # the code of an empty message is not sent
        (b"\x20\x00\xff", "gatt-empty"),
        (b"\x22\x01t", "gatt-truncated"),
        (b"\x20\x21", "coap-code"),
        (b"\x20\xe1", "coap-code"),
        (b"\x20\x01\xff", "coap-empty-payload"),
        (b"\x20\x01\xb5r", "coap-truncated"),
        (b"\x20\x01\xf0", "coap-option-reserved"),
    ):
        with raises(Malformed, reason):
            decode_value(value)
        client, server = pair()
        assert server.receive(value, 0) == []
        assert server.garbage == 1
        assert server.outgoing(0) is None  # not even acknowledged
        client.send(asking(b"t"), 0)
        client.outgoing(0)
        client.receive(value, 0)
        assert client.deadline() == TIMEOUT_MS  # and no acknowledgement of anything


def test_every_truncation_of_a_value_is_ignored_or_another_whole_value():
    value = encode_value(CONFIRM, Message(GET, b"tok", [(11, b"r"), (292, bytes(20))], b"payload"))
    for end in range(len(value)):
        try:
            first, message = decode_value(value[:end])
        except Malformed:
            continue
        assert encode_value(first, message) == value[:end]


def test_values_fit_the_link():
    for mtu, fits in ((128, 125), (185, 182), (515, 512), (600, 512)):
        client, server = pair(mtu)
        assert client.max_payload == fits
        with raises(LocalError, "gatt-too-long"):
            client.send(Message(GET, b"", (), bytes(fits - 2)), 0)
        client.send(Message(GET, b"", (), bytes(fits - 3)), 0)
        value = client.outgoing(0)
        assert len(value) == fits
        assert len(server.receive(value, 0)[0].payload) == fits - 3
    for mtu in (23, 127):
        with raises(Unsupported, "gatt-mtu"):
            GattLayer(True, mtu)


def test_no_acknowledgement_within_five_seconds_fails_the_token():
    client, server = pair()
    client.send(asking(b"1"), 1000)
    client.send(asking(b"2"), 1000)
    lost = client.outgoing(1000)
    assert client.deadline() == 6000
    assert client.outgoing(5999) is None and client.failed() == []
    value = client.outgoing(6000)  # the next one goes, with the other id
    assert client.failed() == [b"1"] and client.failed() == []
    assert (bits(lost), bits(value)) == ("C1", "MC1")
    assert [message.token for message in server.receive(value, 6000)] == [b"2"]
    client.receive(server.outgoing(6000), 6000)
    assert client.deadline() is None and client.failed() == []


def test_a_late_acknowledgement_of_a_failed_message_does_not_count_for_the_next():
    client, server = pair()
    client.send(asking(b"1"), 0)
    client.send(asking(b"2"), 0)
    server.receive(client.outgoing(0), 4000)
    late = server.outgoing(4000)
    assert client.outgoing(5000) is not None  # 2
    client.receive(late, 5001)
    assert client.outgoing(10000) is None
    assert client.failed() == [b"1", b"2"]


def test_an_indication_without_confirmation_stops_the_server_and_fails_what_waits():
    client, server = pair()
    client.send(asking(b"t"), 0)
    (asked,) = server.receive(client.outgoing(0), 0)
    assert server.outgoing(0) is not None
    server.send(answer(asked), 10)
    assert server.deadline() == TIMEOUT_MS
    assert server.outgoing(TIMEOUT_MS) is None
    assert server.failed() == [b"t"]
    server.send(answer(asked), TIMEOUT_MS + 1)
    assert server.outgoing(server.deadline()) is None
    assert server.failed() == [b"t"]
    server.confirmed(20000)  # back after all
    server.send(answer(asked), 20000)
    assert server.outgoing(20000) is not None


def test_a_peer_that_acknowledges_nothing_costs_bounded_memory():
    server = GattLayer(True, 515)
    for number in range(100):
        (asked,) = server.receive(bytes((0x32 | number << 6 & 0x40, GET, number, number)), number)
        server.send(answer(asked, bytes(500)), number)
        server.outgoing(number)
        server.confirmed(number)
    assert len(server._queue) == coap.MAX_QUEUE
    assert len(server.failed()) == 100 - 1 - coap.MAX_QUEUE


def test_both_sides_begin_at_the_same_moment():
    client, server = pair()
    client.send(asking(b"c"), 0)
    server.send(Message(CONTENT, b"s"), 0)
    up, down = client.outgoing(0), server.outgoing(0)
    assert (bits(up), bits(down)) == ("C1", "C1")
    assert len(server.receive(up, 1)) == 1 and len(client.receive(down, 1)) == 1
    assert client.outgoing(1) == b"\x00"
    server.confirmed(1)
    assert server.outgoing(1) == b"\x00"
    assert client.deadline() is None


def test_a_peer_that_cancels_with_an_empty_message_is_acknowledged():
    server = GattLayer(True, 515)
    assert server.receive(b"\x60", 0) == []
    assert server.outgoing(0) == b"\x50"


def test_a_forgotten_request_is_not_sent():
    client, _ = pair()
    client.send(asking(b"1"), 0)
    client.send(asking(b"2"), 0)
    client.outgoing(0)
    client.forget(b"2")
    client.receive(b"\x40", 1)
    assert client.outgoing(1) is None and client.deadline() is None


# Every order of events between two layers, up to the end.


class World:
    """Two layers, the values on their way, and what is left to happen."""

    def __init__(self):
        self.client, self.server = pair()
        self.up = []  # values on their way to the server
        self.down = []
        self.confirmations = 0  # indications that arrived and are not confirmed
        self.to_send = [2, 2]
        self.sent = [[], []]  # tokens of client, of server
        self.arrived = [[], []]  # tokens at client, at server
        self.failed = []
        self.now_ms = 0
        self.repeats = self.losses = self.delays = 0  # how often the carrier may misbehave

    def copy(self):
        twin = copy_of(self)
        twin.client, twin.server = copy_of(self.client), copy_of(self.server)
        twin.sent = [tokens[:] for tokens in self.sent]
        twin.arrived = [tokens[:] for tokens in self.arrived]
        return twin

    def key(self):
        own = (self.up, self.down, self.confirmations, self.to_send, self.sent, self.arrived, self.failed, self.now_ms)
        left = (self.repeats, self.losses, self.delays)
        layers = []
        for layer in (self.client, self.server):
            queued = [message.token for message, _ in layer._queue]
            layers.append(
                (queued, layer._own_id, layer._peer_id, layer._seen, layer._ack_owed, layer._under_way)
                + (layer._ack_due_ms, layer._confirm_due_ms)
            )
        return repr((own, left, layers))

    def on_its_way(self, side):
        """Tokens of this side's messages that the carrier has."""
        messages = [decode_value(value)[1] for value in (self.up, self.down)[side]]
        return [message.token for message in messages if message.code != EMPTY]

    def acknowledged(self, side):
        """How many messages the layer of this side believes to have arrived."""
        layer = (self.client, self.server)[side]
        waiting = len(layer._queue) + (layer._under_way is not None)
        return len(self.sent[side]) - waiting - len([token for token in self.failed if token in self.sent[side]])


def copy_of(thing):
    """A copy of an object whose lists may be changed."""
    twin = object.__new__(type(thing)) if hasattr(object, "__new__") else type(thing)(True, 515)
    for name in thing.__dict__:
        value = getattr(thing, name)
        setattr(twin, name, value[:] if isinstance(value, list) else value)
    return twin


def do_send(world, side):
    world.to_send[side] -= 1
    token = b"cs"[side : side + 1] + bytes((len(world.sent[side]) + 48,))
    world.sent[side].append(token)
    layer = (world.client, world.server)[side]
    layer.send(asking(token) if side == 0 else Message(CONTENT, token), world.now_ms)


def do_out(world, side):
    layer, carrier = ((world.client, world.up), (world.server, world.down))[side]
    value = layer.outgoing(world.now_ms)
    world.failed += layer.failed()
    if value is not None:
        assert side == 0 or not (world.down or world.confirmations), "two indications at once"
        carrier.append(value)


def do_arrive(world, side, times=1):
    """The oldest value reaches this side, once or more often."""
    layer, carrier = ((world.client, world.down), (world.server, world.up))[side]
    value = carrier.pop(0)
    for _ in range(times):
        world.arrived[side] += [message.token for message in layer.receive(value, world.now_ms)]
    world.confirmations += side == 0
    world.repeats -= times - 1


def do_confirm(world):
    world.confirmations -= 1
    world.server.confirmed(world.now_ms)


def do_lose(world, side, confirmed):
    (world.down, world.up)[side].pop(0)
    world.confirmations += confirmed
    world.losses -= 1


def do_wait(world):
    world.now_ms += TIMEOUT_MS
    do_out(world, 0)
    do_out(world, 1)


def do_delay(world):
    world.delays -= 1
    do_wait(world)


def moves(world):
    """Everything that may happen next, as (function, arguments)."""
    found = []
    for side in (0, 1):
        if world.to_send[side]:
            found.append((do_send, (side,)))
        layer, carrier = ((world.client, world.down), (world.server, world.up))[side]
        if layer.deadline() == 0 and (side == 1 or not world.up):  # a client has one write under way
            found.append((do_out, (side,)))
        if carrier:
            found.append((do_arrive, (side,)))
            if world.repeats:
                found.append((do_arrive, (side, 2)))
            if world.losses:
                found.append((do_lose, (side, 0)))
                if side == 0:
                    found.append((do_lose, (side, 1)))
    if world.confirmations:
        found.append((do_confirm, ()))
    if world.delays:
        found.append((do_delay, ()))
    if not found and (world.client.deadline() is not None or world.server.deadline() is not None):
        found.append((do_wait, ()))
    return found


def explore(world, check, finished):
    """Visit every state that `world` can come to. `check` each; `finished` those where nothing more can happen."""
    seen = set()
    stack = [world]
    while stack:
        world = stack.pop()
        key = world.key()
        if key in seen:
            continue
        seen.add(key)
        if len(seen) % 256 == 0:
            gc.collect()  # before the keys lie scattered over MicroPython's whole heap
        check(world)
        possible = [] if world.failed else moves(world)
        if not possible:
            finished(world)
        for function, arguments in possible:
            twin = world.copy()
            function(twin, *arguments)
            stack.append(twin)
    return len(seen)


def in_order_and_once(world):
    """What arrived is a part of what was sent, in its order, and what a layer thinks acknowledged has arrived.

    A first message may still be on its way: its id is the one that the peer acknowledges before it knows any.
    """
    for side in (0, 1):
        there = world.arrived[1 - side]
        assert len(there) == len(set(there))
        assert there == [token for token in world.sent[side] if token in there]
        acknowledged = world.sent[side][: world.acknowledged(side)]
        assert (
            there[: len(acknowledged)] == acknowledged or world.on_its_way(side) == acknowledged == world.sent[side][:1]
        )


def all_arrived(world):
    assert world.failed == []
    assert world.to_send == [0, 0]
    assert world.arrived == [world.sent[1], world.sent[0]]
    assert world.client.deadline() is None and world.server.deadline() is None


def test_in_every_order_of_events_each_message_arrives_once_though_values_are_repeated():
    world = World()
    world.to_send = [3, 3]
    world.repeats = 2
    states = explore(world, in_order_and_once, all_arrived)
    assert states > 1000, states


def test_whatever_is_lost_or_late_nothing_arrives_twice_and_no_loss_passes_for_an_arrival():
    def finished(world):
        assert world.failed or world.arrived == [world.sent[1], world.sent[0]]

    world = World()
    for move, side in (
        (do_send, 0),
        (do_out, 0),
        (do_arrive, 1),
        (do_send, 1),
        (do_out, 1),
        (do_arrive, 0),
        (do_out, 0),
    ):
        move(world, side)  # a first exchange, because of the first message's exception
    world.to_send = [2, 2]
    world.repeats = world.delays = 1
    world.losses = 2
    states = explore(world, in_order_and_once, finished)
    assert states > 1000, states


def test_a_client_that_starts_anew_on_a_live_link_is_served_or_told():
    """The device's layer may be in any state; the new client's request arrives, or fails within five seconds."""

    def check(world):
        client, server = GattLayer(False, 515), copy_of(world.server)
        client.send(asking(b"new"), world.now_ms)
        arrived = server.receive(client.outgoing(world.now_ms), world.now_ms)
        assert client.deadline() == world.now_ms + TIMEOUT_MS
        server.confirmed(world.now_ms)
        value = server.outgoing(world.now_ms)
        if value:
            client.receive(value, world.now_ms)
        client.outgoing(world.now_ms + TIMEOUT_MS)
        assert [message.token for message in arrived] == [b"new"] or client.failed() == [b"new"]

    states = explore(World(), check, lambda world: None)
    assert states > 500
