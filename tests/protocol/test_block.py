"""Block-wise transfer, RFC 7959: a server's Assembler and Slicer, a client's Transfer, and peers who get it wrong."""

from admit_protocol import block, coap
from admit_protocol.block_client import Transfer
from admit_protocol.errors import Conflict, LocalError, Malformed, TooLarge
from admit_protocol.problem import TITLE, decode
from support import raises

BODY = bytes([i * 7 & 0xFF for i in range(1000)])
ALICE, BOB = "alice", "bob"


def part(number, more, szx, payload, path="/r/open", options=()):
    """A POST that carries one Block1 part."""
    message = coap.request(coap.POST, path, payload, coap.CONTENT_CBOR, options)
    message.set_option(coap.BLOCK1, block.encode(number, more, szx))
    message.token = bytes([number & 0xFF])
    return message


def fetch(number, szx, method=coap.GET, path="/journal"):
    """A request for one Block2 part."""
    message = coap.request(method, path)
    message.set_option(coap.BLOCK2, block.encode(number, False, szx))
    return message


def block1(message):
    return block.parse(message.option(coap.BLOCK1))


def block2(message):
    return block.parse(message.option(coap.BLOCK2))


def reason(response):
    return decode(response.payload)[TITLE]


def refused(response, code, why):
    assert (response.code, reason(response)) == (code, why), (response, reason(response))
    return True


class Server:
    """What a device does with a request: assemble, serve, slice. `serve` maps a whole request to a response."""

    def __init__(self, serve, max_size=64, limit=4096):
        self.serve = serve
        self.max_size = max_size
        self.assembler = block.Assembler(limit, max_size=max_size)
        self.slicer = block.Slicer(limit)
        self.served = []
        self.parts = []
        self.answers = []

    def answer(self, request, key=ALICE, now_ms=0):
        self.parts.append(request)
        self.answers.append(self._answer(request, key, now_ms))
        return self.answers[-1]

    def _answer(self, request, key, now_ms):
        whole = self.assembler.accept(request, key, now_ms)
        if not whole.is_request:
            return self.slicer.slice(key, request, whole, self.max_size)
        later = self.slicer.next(key, request)
        if later is not None:
            return later
        self.served.append(whole)
        return self.slicer.slice(key, request, self.serve(whole), self.max_size)


def echo(request):
    return coap.response(coap.CHANGED, request.payload)


def run(transfer, server, key=ALICE):
    """Carry a transfer to its end; the response."""
    for _ in range(200):
        message = transfer.next()
        if message is None:
            return transfer.response
        transfer.answer(server.answer(message, key))
    raise AssertionError("endless")


# The option, section 2.2


def test_option_values():
    for value, meaning in (
        ("", (0, False, 0)),
        ("0e", (0, True, 6)),
        ("06", (0, False, 6)),
        ("2a", (2, True, 2)),
        ("010b", (16, True, 3)),
        ("fffff6", (0xFFFFF, False, 6)),
    ):
        assert block.parse(bytes.fromhex(value)) == meaning
        assert block.encode(*meaning) == bytes.fromhex(value)


def test_bad_option_values():
    for value in ("07", "0f", "000007", "00000006"):  # exponent 7 is reserved; four bytes are too many
        with raises(Malformed, "block-option"):
            block.parse(bytes.fromhex(value))
    for number, szx in ((1 << 20, 0), (-1, 0), (0, 7), (0, -1)):
        with raises(LocalError, "block-option"):
            block.encode(number, False, szx)


def test_block_sizes():
    for size, szx in ((16, 0), (31, 0), (32, 1), (512, 5), (1023, 5), (1024, 6), (60000, 6)):
        assert block.size_szx(size) == szx
    with raises(LocalError, "block-size"):
        block.size_szx(15)


# Whole transfers


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


def test_the_client_may_ask_for_smaller_blocks():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY), max_size=1024)
    first = server.answer(fetch(0, 2))
    assert (first.payload, block2(first), first.uint(coap.SIZE2)) == (BODY[:64], (0, True, 2), 1000)
    third = server.answer(fetch(2, 2))
    assert (third.payload, block2(third), third.option(coap.SIZE2)) == (BODY[128:192], (2, True, 2), None)
    assert third.option(coap.ETAG) == first.option(coap.ETAG)
    assert len(server.served) == 1


def test_a_block_number_counts_in_the_size_of_its_own_option():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY), max_size=64)
    server.answer(fetch(0, 6))
    later = server.answer(fetch(1, 3))  # bytes 128 and on, of which 64 fit
    assert (later.payload, block2(later)) == (BODY[128:192], (2, True, 2))


def test_a_small_response_to_a_request_with_block2():
    server = Server(lambda request: coap.response(coap.CONTENT, b"small"))
    response = server.answer(fetch(0, 2))
    assert (response.payload, block2(response)) == (b"small", (0, False, 2))
    server = Server(lambda request: coap.response(coap.NOT_FOUND))
    assert server.answer(fetch(0, 2)).options == []


def test_an_upload_that_asks_for_small_blocks_of_its_response():
    server = Server(echo)
    first = server.answer(part(0, True, 0, BODY[:16], options=((coap.BLOCK2, b""),)))
    assert (first.code, [number for number, _ in first.options]) == (coap.CONTINUE, [coap.BLOCK1])
    last = server.answer(part(1, False, 0, BODY[16:20], options=((coap.BLOCK2, b""),)))
    assert (last.payload, block1(last), block2(last)) == (BODY[:16], (1, False, 0), (0, True, 0))


def test_4_13_with_a_smaller_size_begins_again():
    class Small(Server):
        def answer(self, request, key=ALICE, now_ms=0):
            if len(request.payload) <= 32:
                return Server.answer(self, request, key, now_ms)
            self.parts.append(request)
            return coap.response(coap.REQUEST_ENTITY_TOO_LARGE, options=((coap.BLOCK1, block.encode(0, True, 1)),))

    for block_size in (64, 500):  # cut too coarsely, and not cut at all
        server = Small(echo)
        response = run(Transfer(coap.request(coap.POST, "/x", BODY[:300]), block_size), server)
        assert response.payload == BODY[:300]
        assert [len(message.payload) for message in server.parts[:3]] == [min(block_size, 300), 32, 32]


def test_tokens_are_answered():
    server = Server(echo)
    assert server.answer(part(1, False, 0, b"x")).token == b"\x01"
    assert server.answer(part(0, True, 0, BODY[:16])).token == b"\x00"
    assert server.answer(part(1, False, 0, b"x")).token == b"\x01"
    lost = fetch(1, 0, coap.POST)
    lost.token = b"\x05"
    assert server.slicer.next(BOB, lost).token == b"\x05"
    assert server.assembler.accept(part(3, False, 0, b"x"), BOB, 0).token == b"\x03"


# Uploads that go wrong


def test_the_wrong_order_is_4_08():
    first, second, third = part(0, True, 0, BODY[:16]), part(1, True, 0, BODY[16:32]), part(2, False, 0, BODY[32:40])
    for order in ((second,), (first, third), (first, second, second), (first, part(1, True, 1, BODY[:32]))):
        server = Server(echo)
        for message in order[:-1]:
            assert server.answer(message).code == coap.CONTINUE
        assert refused(server.answer(order[-1]), coap.REQUEST_ENTITY_INCOMPLETE, "block-order")
        assert server.served == []
        assert server.answer(third).code == coap.REQUEST_ENTITY_INCOMPLETE  # it is lost
        codes = [server.answer(message).code for message in (first, second, third)]
        assert codes == [coap.CONTINUE, coap.CONTINUE, coap.CHANGED]


def test_blocks_of_different_requests_are_never_put_together():
    others = (
        part(1, False, 0, b"x", path="/r/other"),
        part(1, False, 0, b"x", options=((coap.URI_QUERY, b"a"),)),
        part(1, False, 0, b"x", options=((coap.REQUEST_TAG, b"\x02"),)),
    )
    put = part(1, False, 0, b"x")
    put.code = coap.PUT
    for other in others + (put,):
        server = Server(echo)
        server.answer(part(0, True, 0, BODY[:16]))
        assert refused(server.answer(other), coap.REQUEST_ENTITY_INCOMPLETE, "block-order")


def test_options_outside_the_cache_key_may_differ():
    server = Server(echo)
    server.answer(part(0, True, 0, BODY[:16], options=((coap.SIZE1, 17), (coap.ECHO, b"e"))))
    assert server.answer(part(1, False, 0, b"x")).code == coap.CHANGED


def test_block_zero_begins_again():
    server = Server(echo)
    server.answer(part(0, True, 0, BODY[:16]))
    server.answer(part(1, True, 0, BODY[16:32]))
    server.answer(part(0, True, 0, b"a" * 16))
    server.answer(part(1, False, 0, b"b"))
    assert [whole.payload for whole in server.served] == [b"a" * 16 + b"b"]


def test_other_requests_do_not_disturb_an_upload():
    server = Server(echo)
    server.answer(part(0, True, 0, BODY[:16]))
    server.answer(coap.request(coap.POST, "/r/other", b"in one piece"))
    server.answer(fetch(0, 0))
    assert server.answer(part(1, False, 0, b"x")).code == coap.CHANGED
    assert server.assembler._uploads == {}


def test_blocks_of_the_wrong_size():
    for message in (
        part(0, True, 0, BODY[:15]),
        part(0, True, 0, BODY[:17]),
        part(0, False, 0, BODY[:17]),
        part(0, True, 6, b""),
    ):
        assert refused(Server(echo).answer(message), coap.BAD_REQUEST, "block-size")
    bad = part(0, True, 0, BODY[:16])
    bad.set_option(coap.BLOCK1, b"\x0f")
    assert refused(Server(echo).answer(bad), coap.BAD_REQUEST, "block-option")


def test_too_large_is_4_13_with_the_limit():
    server = Server(echo, limit=100)
    for message in (
        coap.request(coap.POST, "/x", BODY[:101]),
        part(0, True, 0, BODY[:16], options=((coap.SIZE1, 101),)),
        part(6, False, 0, BODY[:5]),
        part(0xFFFFF, False, 6, b""),
    ):
        response = server.answer(message)
        assert refused(response, coap.REQUEST_ENTITY_TOO_LARGE, "block-too-large")
        assert response.uint(coap.SIZE1) == 100
    for number in range(6):
        assert server.answer(part(number, True, 0, BODY[:16])).code == coap.CONTINUE
    assert server.answer(part(6, True, 0, BODY[:16])).code == coap.REQUEST_ENTITY_TOO_LARGE
    assert server.served == []
    assert run(Transfer(coap.request(coap.POST, "/x", BODY[:100]), 16), server).payload == BODY[:100]
    response = run(Transfer(coap.request(coap.POST, "/x", BODY[:101]), 16), server)
    assert refused(response, coap.REQUEST_ENTITY_TOO_LARGE, "block-too-large")


def test_interleaved_uploads_of_two_peers():
    server = Server(echo)
    alice = Transfer(coap.request(coap.POST, "/r/open", BODY[:500]), 64)
    bob = Transfer(coap.request(coap.POST, "/r/open", BODY[500:]), 64)
    while alice.next() or bob.next():
        for transfer, key in ((alice, ALICE), (bob, BOB)):
            if transfer.next():
                transfer.answer(server.answer(transfer.next(), key))
    assert alice.response.payload == BODY[:500]
    assert bob.response.payload == BODY[500:]


def test_a_silent_upload_expires():
    server = Server(echo)
    now_ms = 10 * block.LIFETIME_MS
    for number in range(3):
        now_ms += block.LIFETIME_MS - 1
        assert server.answer(part(number, True, 0, BODY[:16]), now_ms=now_ms).code == coap.CONTINUE
    server.answer(fetch(0, 0), BOB, now_ms + block.LIFETIME_MS)  # anyone's message will do
    assert server.assembler._uploads == {}
    late = server.answer(part(3, False, 0, b"x"), now_ms=now_ms + block.LIFETIME_MS)
    assert refused(late, coap.REQUEST_ENTITY_INCOMPLETE, "block-order")


def test_memory_is_bounded_whoever_knocks():
    """Four places of 100 bytes: a fifth peer waits until one has been silent for a while."""
    assembler = block.Assembler(100)

    def upload(key, number, now_ms):
        return assembler.accept(part(number, True, 0, BODY[:16]), key, now_ms)

    now_ms = 1_000_000
    for key in range(4):
        assert upload(key, 0, now_ms).code == coap.CONTINUE
    for key in range(4, 50):
        assert refused(upload(key, 0, now_ms), coap.SERVICE_UNAVAILABLE, "block-busy")
    assert assembler.accept(part(0, False, 0, b"x"), "in one piece", now_ms).payload == b"x"
    for number in range(1, 9):
        for key in range(4):
            upload(key, number, now_ms)
            assert held(assembler) <= 400
    for again in range(2):
        for key in range(4):
            assert upload(key, 0, now_ms + key + again).code == coap.CONTINUE
    patient_ms = now_ms + 1 + block.PATIENCE_MS
    assert upload("patient", 0, patient_ms - 1).code == coap.SERVICE_UNAVAILABLE
    assert upload("patient", 0, patient_ms).code == coap.CONTINUE  # key 0 had to go
    assert upload("patient", 1, patient_ms).code == coap.CONTINUE
    assert refused(upload(0, 1, patient_ms), coap.REQUEST_ENTITY_INCOMPLETE, "block-order")
    assert upload(1, 1, patient_ms).code == coap.CONTINUE


def held(assembler):
    return sum([len(upload.body) for upload in assembler._uploads.values()])


def test_a_peer_that_is_gone_leaves_nothing_behind():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY))
    server.answer(part(0, True, 0, BODY[:16]))
    server.answer(fetch(0, 2))
    server.assembler.forget(ALICE)
    server.slicer.forget(ALICE)
    assert server.assembler._uploads == {} and server.slicer._kept == {}
    server.assembler.forget("nobody")
    server.slicer.forget("nobody")


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
    tags = [message.option(coap.REQUEST_TAG) for message in server.parts]
    assert tags[0] == tags[5] != tags[6] == tags[7]

    class Hopeless(Server):
        def answer(self, request, key=ALICE, now_ms=0):
            self.assembler.forget(key)
            return Server.answer(self, request, key, now_ms)

    server = Hopeless(echo)
    assert run(Transfer(request, 64), server).code == coap.REQUEST_ENTITY_INCOMPLETE
    assert len(server.parts) == 8


def test_each_upload_has_its_own_request_tag():
    seen = []
    for _ in range(3):
        server = Server(echo)
        run(Transfer(coap.request(coap.POST, "/x", BODY[:100]), 64), server)
        tags = [message.option(coap.REQUEST_TAG) for message in server.parts]
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


def test_a_get_that_is_not_kept_is_served_again_and_a_post_is_not():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY))
    assert server.answer(fetch(3, 2)).payload == BODY[192:256]
    post = server.answer(fetch(3, 2, coap.POST))
    assert refused(post, coap.REQUEST_ENTITY_INCOMPLETE, "block-forgotten")
    assert [whole.code for whole in server.served] == [coap.GET]


def test_what_is_kept_answers_only_the_same_peer_and_request():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY))
    server.answer(fetch(0, 2, coap.POST))
    for key, path in ((BOB, "/journal"), (ALICE, "/health")):
        answer = server.answer(fetch(1, 2, coap.POST, path), key)
        assert refused(answer, coap.REQUEST_ENTITY_INCOMPLETE, "block-forgotten")
    assert server.answer(fetch(1, 2, coap.POST)).payload == BODY[64:128]


def test_the_kept_response_goes_with_its_last_block():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY[:100]))
    server.answer(fetch(0, 2))
    assert ALICE in server.slicer._kept
    assert block2(server.answer(fetch(1, 2))) == (1, False, 2)
    assert server.slicer._kept == {}


def test_a_block_behind_the_end_is_refused():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY[:128]))
    for number in (2, 0xFFFFF):
        assert refused(server.answer(fetch(number, 2)), coap.BAD_REQUEST, "block-range")
    bad = fetch(0, 2).with_option(coap.BLOCK2, b"\x07")
    assert refused(server.answer(bad), coap.BAD_REQUEST, "block-option")
    assert len(server.served) == 2  # the bad option never reached the resource


def test_kept_responses_are_bounded_in_size_and_in_number():
    slicer = block.Slicer(limit=100, places=2)
    for key, length, kept in (
        (1, 100, [1]),
        (2, 101, [1]),
        (3, 100, [1, 3]),
        (3, 99, [1, 3]),
        (1, 99, [1, 3]),
        (4, 64, [1, 3]),
        (5, 65, [1, 5]),
    ):
        part = slicer.slice(key, fetch(0, 2), coap.response(coap.CONTENT, BODY[:length]), 64)
        assert block2(part) == (0, length > 64, 2)
        assert sorted(slicer._kept) == kept, key


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
    transfer.answer(coap.response(coap.FORBIDDEN))
    assert (transfer.next(), transfer.response.code) == (None, coap.FORBIDDEN)
