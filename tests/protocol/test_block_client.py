"""Block-wise transfer, the client's part: a Transfer against our own server, and against servers that go wrong."""

from admit_protocol import block, coap, coap_numbers
from admit_protocol.block_client import Transfer
from admit_protocol.errors import Conflict, LocalError, Malformed, TooLarge
from block_peers import ALICE, BODY, Server, block1, block2, echo, run
from support import raises


def test_a_large_request_and_its_large_response():
    server = Server(echo)
    request = coap.request(coap.POST, "/r/open", BODY, coap.CONTENT_CBOR)
    response = run(Transfer(request, 64), server)
    assert (response.code, response.payload) == (coap.CHANGED, BODY)
    assert [number for number, _ in response.options] == [coap.ETAG]
    assert len(server.served) == 1
    whole = server.served[0]
    assert (whole.path, whole.uint(coap.CONTENT_FORMAT)) == (("r", "open"), coap.CONTENT_CBOR)
    assert whole.payload == BODY
    assert len(server.parts) == 16 + 15
    assert server.parts[0].uint(coap.SIZE1) == 1000
    assert [block1(message)[0] for message in server.parts[:16]] == list(range(16))
    assert [block1(answer) for answer in server.answers[:16]] == [(n, n < 15, 2) for n in range(16)]
    assert [block2(message) for message in server.parts[16:]] == [(n, False, 2) for n in range(1, 16)]
    assert server.assembler._uploads == {} and server.slicer._kept == {}  # nothing stays behind


def test_lengths_round_the_block_size():
    for length in (0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49):
        server = Server(echo, max_size=16)
        response = run(Transfer(coap.request(coap.POST, "/x", BODY[:length]), 16), server)
        assert response.payload == BODY[:length]
        assert len(server.served) == 1
        blocks = max((length + 15) // 16, 1)
        assert len(server.parts) == 2 * blocks - 1


def test_what_fits_is_not_cut():
    """A body between a block size and what the link carries goes in one piece, without a word about blocks."""
    server = Server(echo, max_size=100)
    response = run(Transfer(coap.request(coap.POST, "/x", BODY[:100]), 100), server)
    assert response.payload == BODY[:100]
    assert [message.options for message in server.parts] == [[(coap.URI_PATH, b"x")]]


def test_the_server_may_ask_for_smaller_blocks():
    """RFC 7959 figure 8: the first block is taken, the rest comes in the size that the answer names."""
    server = Server(echo, max_size=32)
    response = run(Transfer(coap.request(coap.POST, "/x", BODY[:300]), 128), server)
    assert response.payload == BODY[:300]
    numbers = [block1(message) for message in server.parts if message.payload]
    assert numbers == [(0, True, 3)] + [(n, n < 9, 1) for n in range(4, 10)]


def test_4_13_with_a_smaller_size_begins_again():
    class Small(Server):
        def answer(self, request, key=ALICE, now_ms=0):
            if len(request.payload) <= 32:
                return Server.answer(self, request, key, now_ms)
            self.parts.append(request)
            return coap.response(
                coap_numbers.REQUEST_ENTITY_TOO_LARGE, options=((coap.BLOCK1, block.encode(0, True, 1)),)
            )

    for block_size in (64, 500):  # cut too coarsely, and not cut at all
        server = Small(echo)
        response = run(Transfer(coap.request(coap.POST, "/x", BODY[:300]), block_size), server)
        assert response.payload == BODY[:300]
        assert [len(message.payload) for message in server.parts[:3]] == [min(block_size, 300), 32, 32]


def test_a_client_whose_upload_was_lost_begins_again():
    class Forgetful(Server):
        def answer(self, request, key=ALICE, now_ms=0):
            if len(self.parts) == self.forgets_at:
                self.assembler.forget(key)
            return Server.answer(self, request, key, now_ms)

    server = Forgetful(echo)
    server.forgets_at = 5
    request = coap.request(coap.POST, "/x", BODY)
    assert run(Transfer(request, 64), server).payload == BODY
    tags = [message.option(coap_numbers.REQUEST_TAG) for message in server.parts]
    assert tags[0] == tags[5] != tags[6] == tags[7]

    class Hopeless(Server):
        def answer(self, request, key=ALICE, now_ms=0):
            self.assembler.forget(key)
            return Server.answer(self, request, key, now_ms)

    server = Hopeless(echo)
    assert run(Transfer(request, 64), server).code == coap_numbers.REQUEST_ENTITY_INCOMPLETE
    assert len(server.parts) == 8


def test_each_upload_has_its_own_request_tag():
    seen = []
    for _ in range(3):
        server = Server(echo)
        run(Transfer(coap.request(coap.POST, "/x", BODY[:100]), 64), server)
        tags = [message.option(coap_numbers.REQUEST_TAG) for message in server.parts]
        assert tags[0] is not None and tags == [tags[0]] * len(tags)
        seen.append(tags[0])
    assert len(set(seen)) == 3


# Responses in blocks


class Counting:
    """A resource whose representation is different each time that it is served."""

    def __init__(self, changes=1000):
        self.served = 0
        self.changes = changes

    def __call__(self, request):
        self.served += 1
        return coap.response(coap.CONTENT, bytes([min(self.served, self.changes)]) * 300)


def test_later_blocks_come_from_the_first_representation():
    for method in (coap.GET, coap.POST):
        resource = Counting()
        response = run(Transfer(coap.request(method, "/journal"), 64), Server(resource))
        assert response.payload == b"\x01" * 300
        assert resource.served == 1


def test_a_changed_representation_begins_again():
    class Restless(Server):
        """Keeps nothing, so that each block is cut from what is there now."""

        def answer(self, request, key=ALICE, now_ms=0):
            self.slicer.forget(key)
            return Server.answer(self, request, key, now_ms)

    response = run(Transfer(coap.request(coap.GET, "/journal"), 64), Restless(Counting(changes=7)))
    assert response.payload == b"\x07" * 300  # it changed with each of three new beginnings
    with raises(Conflict, "block-changed"):
        run(Transfer(coap.request(coap.GET, "/journal"), 64), Restless(Counting(changes=8)))


def test_a_changed_response_to_a_post_is_an_error():
    transfer = Transfer(coap.request(coap.POST, "/x"), 64)
    transfer.answer(answer_block(0, True, b"a" * 16))
    with raises(Conflict, "block-changed"):
        transfer.answer(answer_block(1, True, b"b" * 16, b"other"))


def answer_block(number, more, payload, etag=b"e", options=()):
    message = coap.response(coap.CONTENT, payload, options=options)
    message.set_option(coap.ETAG, etag)
    message.set_option(coap.BLOCK2, block.encode(number, more, 0))
    return message


def test_a_large_notification_is_fetched_without_observing_again():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY, options=((coap.OBSERVE, 5),)))
    transfer = Transfer(coap.request(coap.GET, "/journal", options=((coap.OBSERVE, 0),)), 64)
    response = run(transfer, server)
    assert response.payload == BODY
    assert [message.uint(coap.OBSERVE) for message in server.parts] == [0] + [None] * 15
    assert [answer.uint(coap.OBSERVE) for answer in server.answers] == [5] + [None] * 15
    assert len(server.served) == 1


# Servers that go wrong


def test_hostile_servers():
    def after_one(second):
        return (answer_block(0, True, b"a" * 16), second)

    no_block = coap.response(coap.CONTENT, b"a", options=((coap.ETAG, b"e"),))
    for answers, why in (
        ((answer_block(1, True, b"a" * 16),), "block-number"),
        (after_one(answer_block(0, True, b"a" * 16)), "block-number"),
        (after_one(answer_block(2, True, b"a" * 16)), "block-number"),
        ((answer_block(0, True, b"a" * 15),), "block-size"),
        ((answer_block(0, True, b""),), "block-size"),
        (after_one(answer_block(1, False, b"a" * 17)), "block-size"),
        (after_one(no_block), "block-missing"),
        (after_one(no_block.with_option(coap.BLOCK2, b"\x17")), "block-option"),
        ((coap.Message(coap.CONTINUE),), "block-continue"),
    ):
        transfer = Transfer(coap.request(coap.GET, "/x"), 64)
        for answer in answers[:-1]:
            transfer.answer(answer)
        with raises(Malformed, why):
            transfer.answer(answers[-1])


def test_hostile_acknowledgements():
    def acknowledge(number, value=None):
        return coap.Message(coap.CONTINUE, b"", ((coap.BLOCK1, value or block.encode(number, True, 0)),))

    for body, answers, why in (
        (BODY[:40], (acknowledge(1),), "block-number"),
        (BODY[:40], (acknowledge(0), acknowledge(0)), "block-number"),
        (BODY[:40], (coap.Message(coap.CONTINUE),), "block-continue"),
        (BODY[:40], (acknowledge(0), acknowledge(1), acknowledge(2)), "block-continue"),  # after the last block
        (BODY[:40], (acknowledge(0, b"\x0f"),), "block-option"),
    ):
        transfer = Transfer(coap.request(coap.POST, "/x", body), 16)
        for answer in answers[:-1]:
            transfer.answer(answer)
        with raises(Malformed, why):
            transfer.answer(answers[-1])


def test_a_response_without_end_is_stopped():
    for options in ((), ((coap.SIZE2, 1001),)):
        transfer = Transfer(coap.request(coap.GET, "/x"), 64, limit=1000)
        with raises(TooLarge, "block-too-large"):
            for number in range(100):
                transfer.answer(answer_block(number, True, b"a" * 16, options=options))
        assert number == (0 if options else 62)
    transfer = Transfer(coap.request(coap.GET, "/x"), 64, limit=32)
    transfer.answer(answer_block(0, True, b"a" * 16, options=((coap.SIZE2, 32),)))
    transfer.answer(answer_block(1, False, b"a" * 16))
    assert transfer.response.payload == b"a" * 32


def test_an_error_in_the_middle_is_the_response():
    transfer = Transfer(coap.request(coap.GET, "/x"), 64)
    transfer.answer(answer_block(0, True, b"a" * 16))
    transfer.answer(coap.response(coap.BAD_REQUEST, b"gone"))
    assert (transfer.next(), transfer.response.code, transfer.response.payload) == (None, coap.BAD_REQUEST, b"gone")
    with raises(LocalError, "block-done"):
        transfer.answer(coap.response(coap.CONTENT))


def test_an_error_ends_an_upload():
    transfer = Transfer(coap.request(coap.POST, "/x", BODY), 64)
    transfer.answer(coap.response(coap_numbers.FORBIDDEN))
    assert (transfer.next(), transfer.response.code) == (None, coap_numbers.FORBIDDEN)
