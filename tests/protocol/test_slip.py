"""slipmux frames: draft-bormann-t2trg-slipmux, RFC 1055, the FCS of RFC 1662 appendix C."""

from admit_protocol.slip import Decoder, encode_coap, encode_diagnostic, fcs16

GET = bytes.fromhex("40010000")
GET_FRAME = bytes.fromhex("c0a940010000bc38c0")  # as RIOT's peers (the Rust crate slipmux) write it
LIMIT = 64


def test_the_frame_check_sequence_of_ppp():
    assert fcs16(b"123456789") ^ 0xFFFF == 0x906E  # the check value of CRC-16/X-25
    assert fcs16(b"123456789" + b"\x6e\x90") == 0xF0B8  # RFC 1662: least significant byte first, then a known register
    assert fcs16(b"") ^ 0xFFFF == 0


def test_a_coap_frame_byte_for_byte():
    assert encode_coap(GET) == GET_FRAME
    assert Decoder(LIMIT).feed(GET_FRAME) == [("coap", GET)]
    assert Decoder(LIMIT).feed(b"\xc0\xa9Hello World!\x49\xff\xc0") == [("coap", b"Hello World!")]


def test_a_diagnostic_frame():
    assert encode_diagnostic("Hello World!") == b"\xc0\x0aHello World!\xc0"
    assert Decoder(LIMIT).feed(encode_diagnostic("22 \u00b0C\n")) == [("diagnostic", "22 \u00b0C\n")]
    assert Decoder(LIMIT).feed(encode_diagnostic("")) == [("diagnostic", "")]


def test_delimiters_and_escapes_inside_a_datagram():
    datagram = b"\xc0\xdb\xdc\xdd\xdb\xc0\xc0"
    frame = encode_coap(datagram)
    assert b"\xdb\xdc\xdb\xdd\xdc\xdd\xdb\xdd\xdb\xdc\xdb\xdc" in frame
    assert frame.count(b"\xc0") == 2
    assert Decoder(LIMIT).feed(frame) == [("coap", datagram)]


def test_the_frame_check_sequence_is_escaped_too():
    escaped = 0
    for value in range(1024):
        datagram = value.to_bytes(2, "big")
        fcs = fcs16(b"\xa9" + datagram) ^ 0xFFFF
        if fcs & 0xFF in (0xC0, 0xDB) or fcs >> 8 in (0xC0, 0xDB):
            escaped += 1
            assert Decoder(LIMIT).feed(encode_coap(datagram)) == [("coap", datagram)]
    assert escaped > 4


def test_bytes_may_come_one_at_a_time_and_frames_back_to_back():
    stream = GET_FRAME + encode_diagnostic("a")[1:] + b"\xc0\xc0\xc0" + encode_coap(b"\xdb")
    decoder = Decoder(LIMIT)
    frames = []
    for byte in stream:
        frames += decoder.feed(bytes((byte,)))
    assert frames == [("coap", GET), ("diagnostic", "a"), ("coap", b"\xdb")]
    assert decoder.dropped == 0


def test_boot_noise_before_the_first_frame_is_not_lost_and_costs_nothing():
    assert Decoder(LIMIT).feed(b"ets Jul 29 2019\r\n" + GET_FRAME) == [("other", b"ets Jul 29 2019\r\n"), ("coap", GET)]
    packet = b"\x45\x00 an IP packet"
    assert Decoder(LIMIT).feed(b"\xc0" + packet + b"\xc0") == [("other", packet)]
    assert Decoder(LIMIT).feed(b"\xc0\x0a\xff not UTF-8\xc0") == [("other", b"\x0a\xff not UTF-8")]


def test_a_damaged_frame_is_dropped_and_the_next_one_arrives():
    for at in range(1, len(GET_FRAME) - 1):
        decoder = Decoder(LIMIT)
        damaged = GET_FRAME[:at] + bytes((GET_FRAME[at] ^ 1,)) + GET_FRAME[at + 1 :]
        frames = decoder.feed(damaged + GET_FRAME)
        assert frames[-1] == ("coap", GET)
        assert not [frame for frame in frames[:-1] if frame[0] == "coap"]
        # A changed first byte makes it somebody else's frame, 0xA8; all other damage is seen.
        assert (decoder.dropped, len(frames)) == ((0, 2) if at == 1 else (1, 1))


def test_a_truncated_frame_is_dropped_and_the_next_one_arrives():
    for end in range(2, len(GET_FRAME) - 1):
        decoder = Decoder(LIMIT)
        assert decoder.feed(GET_FRAME[:end] + GET_FRAME) == [("coap", GET)]
        assert decoder.dropped == 1
    assert Decoder(LIMIT).feed(b"\xc0\xa9\xc0\xa9\x00\xc0") == []


def test_an_aborted_frame_and_a_wrong_escape_are_dropped():
    for frame in (b"\xc0\xa9\x40\x01\xdb\xc0", b"\xc0\x0ahello\xdbx\xc0", b"\xc0\xdb\xdb\xdc\xc0"):
        decoder = Decoder(LIMIT)
        assert decoder.feed(frame + GET_FRAME) == [("coap", GET)]
        assert decoder.dropped == 1


def test_the_limit_holds_for_one_datagram_and_for_endless_noise():
    longest = bytes(LIMIT)
    worst = b"\xc0" * LIMIT  # every byte escaped
    too_long = bytes(LIMIT + 1)
    decoder = Decoder(LIMIT)
    assert decoder.feed(encode_coap(longest) + encode_coap(worst)) == [("coap", longest), ("coap", worst)]
    assert decoder.feed(encode_coap(too_long) + encode_diagnostic("x" * 200) + GET_FRAME) == [("coap", GET)]
    assert decoder.dropped == 2
    for _ in range(100):
        assert decoder.feed(b"\xdb\xdc" * 500) == []
        assert len(decoder._raw) <= 2 * (LIMIT + 3) + 1
    assert decoder.feed(GET_FRAME) == [("coap", GET)]
    assert decoder.dropped == 3
