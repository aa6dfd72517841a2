"""slipmux under hypothesis: any bytes in any pieces, and an independent frame check sequence."""

import binascii

from hypothesis import given
from hypothesis import strategies as st

from admit_protocol.slip import Decoder, encode_coap, encode_diagnostic, fcs16
from fuzz.strategies import FUZZ, mutations, texts

LIMIT = 64
datagrams = st.binary(min_size=1, max_size=LIMIT) | st.text("\xc0\xdb\xdc\xdd", max_size=LIMIT).map(
    lambda text: text.encode("latin-1")
)
frames = datagrams.map(lambda data: (("coap", data), encode_coap(data))) | texts.filter(
    lambda text: len(text.encode()) <= LIMIT
).map(lambda text: (("diagnostic", text), encode_diagnostic(text)))
noise = st.binary(max_size=80) | st.lists(st.sampled_from(b"\xc0\xdb\xdc\xdd\xa9\x0a"), max_size=80).map(bytes)


def in_pieces(decoder, data, sizes):
    found = []
    at = 0
    for size in sizes:
        found += decoder.feed(data[at : at + size])
        at += size
    return found + decoder.feed(data[at:])


pieces = st.lists(st.integers(0, 20), max_size=12)


@FUZZ
@given(st.lists(frames, max_size=5), pieces)
def test_frames_come_back_whole_however_the_line_cuts_them(sent, sizes):
    decoder = Decoder(LIMIT)
    assert in_pieces(decoder, b"".join(data for _, data in sent), sizes) == [frame for frame, _ in sent]
    assert decoder.dropped == 0


@FUZZ
@given(noise, frames, pieces)
def test_after_any_noise_the_next_frame_arrives(before, sent, sizes):
    frame, data = sent
    decoder = Decoder(LIMIT)
    assert in_pieces(decoder, before + data, sizes)[-1] == frame


@FUZZ
@given(mutations(st.lists(frames, max_size=3).map(lambda sent: b"".join(data for _, data in sent))), pieces)
def test_the_pieces_make_no_difference(data, sizes):
    one, many = Decoder(LIMIT), Decoder(LIMIT)
    assert in_pieces(many, data, sizes) == one.feed(data)
    assert many.dropped == one.dropped


@FUZZ
@given(datagrams, st.integers(0, 8 * (LIMIT + 3) - 1))
def test_any_single_bit_error_is_seen(datagram, bit):
    body = b"\xa9" + datagram
    fcs = fcs16(body) ^ 0xFFFF
    whole = bytearray(body + fcs.to_bytes(2, "little"))
    whole[bit // 8 % len(whole)] ^= 1 << bit % 8
    assert fcs16(whole) != 0xF0B8


def reverse(value, width):
    return int(f"{value:0{width}b}"[::-1], 2)


@FUZZ
@given(st.binary(max_size=100))
def test_the_frame_check_sequence_agrees_with_binascii(data):
    mirrored = bytes(reverse(byte, 8) for byte in data)
    assert fcs16(data) == reverse(binascii.crc_hqx(mirrored, 0xFFFF), 16)
