"""Block-wise transfer, RFC 7959: the option, a server's Assembler and Slicer, and peers who get it wrong."""

from admit_protocol import block, coap, coap_numbers
from admit_protocol.block_client import Transfer
from admit_protocol.errors import LocalError, Malformed
from block_peers import ALICE, BOB, BODY, Server, block1, block2, echo, fetch, part, refused, run
from limits import BLOCK_LIFETIME_MS, BLOCK_PATIENCE_MS
from support import raises

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


# Sizes


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
    server = Server(lambda request: coap.response(coap_numbers.NOT_FOUND))
    assert server.answer(fetch(0, 2)).options == []


def test_an_upload_that_asks_for_small_blocks_of_its_response():
    server = Server(echo)
    first = server.answer(part(0, True, 0, BODY[:16], options=((coap.BLOCK2, b""),)))
    assert (first.code, [number for number, _ in first.options]) == (coap.CONTINUE, [coap.BLOCK1])
    last = server.answer(part(1, False, 0, BODY[16:20], options=((coap.BLOCK2, b""),)))
    assert (last.payload, block1(last), block2(last)) == (BODY[:16], (1, False, 0), (0, True, 0))


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
        assert refused(server.answer(order[-1]), coap_numbers.REQUEST_ENTITY_INCOMPLETE, "block-order")
        assert server.served == []
        assert server.answer(third).code == coap_numbers.REQUEST_ENTITY_INCOMPLETE  # it is lost
        codes = [server.answer(message).code for message in (first, second, third)]
        assert codes == [coap.CONTINUE, coap.CONTINUE, coap.CHANGED]


def test_blocks_of_different_requests_are_never_put_together():
    others = (
        part(1, False, 0, b"x", path="/r/other"),
        part(1, False, 0, b"x", options=((coap.URI_QUERY, b"a"),)),
        part(1, False, 0, b"x", options=((coap_numbers.REQUEST_TAG, b"\x02"),)),
    )
    put = part(1, False, 0, b"x")
    put.code = coap.PUT
    for other in others + (put,):
        server = Server(echo)
        server.answer(part(0, True, 0, BODY[:16]))
        assert refused(server.answer(other), coap_numbers.REQUEST_ENTITY_INCOMPLETE, "block-order")


def test_options_outside_the_cache_key_may_differ():
    server = Server(echo)
    server.answer(part(0, True, 0, BODY[:16], options=((coap.SIZE1, 17), (coap_numbers.ECHO, b"e"))))
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
        assert refused(response, coap_numbers.REQUEST_ENTITY_TOO_LARGE, "block-too-large")
        assert response.uint(coap.SIZE1) == 100
    for number in range(6):
        assert server.answer(part(number, True, 0, BODY[:16])).code == coap.CONTINUE
    assert server.answer(part(6, True, 0, BODY[:16])).code == coap_numbers.REQUEST_ENTITY_TOO_LARGE
    assert server.served == []
    assert run(Transfer(coap.request(coap.POST, "/x", BODY[:100]), 16), server).payload == BODY[:100]
    response = run(Transfer(coap.request(coap.POST, "/x", BODY[:101]), 16), server)
    assert refused(response, coap_numbers.REQUEST_ENTITY_TOO_LARGE, "block-too-large")


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
    now_ms = 10 * BLOCK_LIFETIME_MS
    for number in range(3):
        now_ms += BLOCK_LIFETIME_MS - 1
        assert server.answer(part(number, True, 0, BODY[:16]), now_ms=now_ms).code == coap.CONTINUE
    server.answer(fetch(0, 0), BOB, now_ms + BLOCK_LIFETIME_MS)  # anyone's message will do
    assert server.assembler._uploads == {}
    late = server.answer(part(3, False, 0, b"x"), now_ms=now_ms + BLOCK_LIFETIME_MS)
    assert refused(late, coap_numbers.REQUEST_ENTITY_INCOMPLETE, "block-order")


def test_memory_is_bounded_whoever_knocks():
    """Four places of 100 bytes: a fifth peer waits until one has been silent for a while."""
    assembler = block.Assembler(100)

    def upload(key, number, now_ms):
        return assembler.accept(part(number, True, 0, BODY[:16]), key, now_ms)

    now_ms = 1_000_000
    for key in range(4):
        assert upload(key, 0, now_ms).code == coap.CONTINUE
    for key in range(4, 50):
        assert refused(upload(key, 0, now_ms), coap_numbers.SERVICE_UNAVAILABLE, "block-busy")
    assert assembler.accept(part(0, False, 0, b"x"), "in one piece", now_ms).payload == b"x"
    for number in range(1, 9):
        for key in range(4):
            upload(key, number, now_ms)
            assert held(assembler) <= 400
    for again in range(2):
        for key in range(4):
            assert upload(key, 0, now_ms + key + again).code == coap.CONTINUE
    patient_ms = now_ms + 1 + BLOCK_PATIENCE_MS
    assert upload("patient", 0, patient_ms - 1).code == coap_numbers.SERVICE_UNAVAILABLE
    assert upload("patient", 0, patient_ms).code == coap.CONTINUE  # key 0 had to go
    assert upload("patient", 1, patient_ms).code == coap.CONTINUE
    assert refused(upload(0, 1, patient_ms), coap_numbers.REQUEST_ENTITY_INCOMPLETE, "block-order")
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


# Responses in blocks


def test_a_get_that_is_not_kept_is_served_again_and_a_post_is_not():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY))
    assert server.answer(fetch(3, 2)).payload == BODY[192:256]
    post = server.answer(fetch(3, 2, coap.POST))
    assert refused(post, coap_numbers.REQUEST_ENTITY_INCOMPLETE, "block-forgotten")
    assert [whole.code for whole in server.served] == [coap.GET]


def test_what_is_kept_answers_only_the_same_peer_and_request():
    server = Server(lambda request: coap.response(coap.CONTENT, BODY))
    server.answer(fetch(0, 2, coap.POST))
    for key, path in ((BOB, "/journal"), (ALICE, "/health")):
        answer = server.answer(fetch(1, 2, coap.POST, path), key)
        assert refused(answer, coap_numbers.REQUEST_ENTITY_INCOMPLETE, "block-forgotten")
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
