"""Blocks under hypothesis: bodies arrive whole at any sizes, and neither side is led astray by any message."""

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import block, coap, coap_numbers
from admit_protocol.block_client import Transfer
from admit_protocol.errors import AdmitError, LocalError, Malformed
from fuzz.strategies import FUZZ

LIMIT = 200
PLACES = 3
ANSWERS = (
    coap.CONTINUE,
    coap.BAD_REQUEST,
    coap_numbers.REQUEST_ENTITY_INCOMPLETE,
    coap_numbers.REQUEST_ENTITY_TOO_LARGE,
    0xA3,
)

sizes = st.integers(16, 1200)
block_values = st.builds(block.encode, st.integers(0, 12), st.booleans(), st.integers(0, 3)) | st.binary(max_size=4)


@FUZZ
@given(st.binary(max_size=5))
def test_an_option_value_has_one_meaning_and_one_shortest_encoding(value):
    try:
        found = block.parse(value)
    except Malformed:
        assert len(value) > 3 or value[-1] & 7 == 7
    else:
        assert block.encode(*found) == value.lstrip(b"\0")


@FUZZ
@given(st.binary(max_size=1500), st.binary(max_size=1500), sizes, sizes, sizes)
def test_bodies_of_any_length_arrive_at_any_sizes(sent, returned, client_size, server_size, wanted_size):
    assembler, slicer = block.Assembler(1500, max_size=wanted_size), block.Slicer(1500)
    served = []
    transfer = Transfer(coap.request(coap.POST, "/x", sent), client_size)
    while (part := transfer.next()) is not None:
        assert len(part.payload) <= client_size
        answer = slicer.next("peer", part) or assembler.accept(part, "peer", 0)
        if answer.is_request:
            served.append(answer.payload)
            answer = slicer.slice("peer", part, coap.response(coap.CHANGED, returned), server_size)
        assert len(answer.payload) <= server_size
        transfer.answer(answer)
    assert served == [sent]
    assert transfer.response.payload == returned


@st.composite
def hostile_parts(draw):
    """Parts of uploads as a hostile peer would send them: right and wrong sizes, orders, options."""
    value = draw(block_values)
    size = 16 << (value[-1] & 7 if value else 0)
    payload = bytes(draw(st.sampled_from((size, size, size, size - 1, size + 1, 0, 5))))
    message = coap.request(draw(st.sampled_from((coap.POST, coap.PUT, coap.GET))), draw(st.sampled_from(("/x", "/y"))))
    message.payload = payload
    for number in draw(st.sets(st.sampled_from((coap.BLOCK1, coap.BLOCK1, coap.BLOCK2, coap.SIZE1)))):
        message.set_option(number, value)
    return message


@FUZZ
@given(st.lists(st.tuples(hostile_parts(), st.integers(0, 5), st.integers(0, 60_000)), max_size=40))
def test_a_server_answers_everything_and_holds_no_more_than_it_said(arrivals):
    assembler, slicer = block.Assembler(LIMIT, PLACES), block.Slicer(LIMIT, PLACES)
    now_ms = 0
    for part, key, pause_ms in arrivals:
        now_ms += pause_ms
        whole = assembler.accept(part, key, now_ms)
        answer = whole if not whole.is_request else slicer.next(key, part)
        if answer is None:
            assert len(whole.payload) <= LIMIT
            response = coap.response(coap.CONTENT, bytes(150))
            answer = slicer.slice(key, part, response, 64)
            assert answer.code in (coap.CONTENT, coap.BAD_REQUEST)
        else:
            assert answer.code in ANSWERS + (coap.CONTENT,)
        assert answer.token == part.token
        assert sum(len(upload.body) for upload in assembler._uploads.values()) <= LIMIT * PLACES
        assert len(assembler._uploads) <= PLACES
        assert sum(len(kept[1].payload) for kept in slicer._kept.values()) <= LIMIT * PLACES


@st.composite
def hostile_answers(draw):
    value = draw(block_values)
    size = 16 << (value[-1] & 7 if value else 0)
    code = draw(st.sampled_from((coap.CONTENT, coap.CHANGED, 0x40) + ANSWERS))
    message = coap.response(code, bytes(draw(st.sampled_from((size, size, size, 0, 5)))))
    for number in draw(st.sets(st.sampled_from((coap.BLOCK1, coap.BLOCK2, coap.ETAG, coap.SIZE2)))):
        message.set_option(number, value)
    return message


@FUZZ
@given(st.sampled_from((coap.GET, coap.POST)), st.integers(0, 200), st.lists(hostile_answers(), max_size=40))
def test_a_client_ends_with_a_bounded_response_or_a_named_error(method, length, answers):
    transfer = Transfer(coap.request(method, "/x", bytes(length)), 32, limit=LIMIT)
    try:
        for answer in answers:
            if transfer.next() is None:
                break
            transfer.answer(answer)
    except LocalError:
        raise
    except AdmitError as error:
        assert error.reason.startswith("block-")
    if transfer.response is not None:
        assert transfer.next() is None
        assert len(transfer.response.payload) <= max(LIMIT, 16 << 7)
