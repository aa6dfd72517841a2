"""Options, payloads and messages without a transport: RFC 7252 sections 3, 5.4 and 5.10."""

from admit_protocol import coap, coap_numbers
from admit_protocol.coap import Message, check_critical, decode_body, encode_body
from admit_protocol.errors import LocalError, Malformed, Unsupported
from support import raises

# (what, options, payload, bytes)
BODIES = (
    ("nothing", [], b"", ""),
    ("figure 16: Uri-Path temperature", [(11, b"temperature")], b"", "bb74656d7065726174757265"),
    ("figure 16: its response", [], b"22.3 C", "ff32322e332043"),
    ("delta 0 repeats", [(11, b"r"), (11, b"open")], b"", "b172046f70656e"),
    ("delta 12, the largest without extension", [(12, b"<")], b"", "c13c"),
    ("delta 13, the smallest extended", [(13, b"")], b"", "d000"),
    ("delta 268, the largest in one byte", [(268, b"")], b"", "d0ff"),
    ("delta 269, the smallest in two bytes", [(269, b"")], b"", "e00000"),
    ("option 65535", [(65535, b"")], b"", "e0fef2"),
    ("length 12", [(1, b"x" * 12)], b"", "1c" + "78" * 12),
    ("length 13", [(1, b"x" * 13)], b"", "1d00" + "78" * 13),
    ("length 268", [(1, b"x" * 268)], b"", "1dff" + "78" * 268),
    ("length 269", [(1, b"x" * 269)], b"", "1e0000" + "78" * 269),
    ("both extended", [(292, b"y" * 20)], b"p", "ed001707" + "79" * 20 + "ff70"),
    ("0xFF inside a value and a payload", [(4, b"\xff")], b"\xff\xff", "41ffffffff"),
)


def test_bodies_byte_for_byte():
    for what, options, payload, expected in BODIES:
        data = bytes.fromhex(expected)
        assert encode_body(options, payload) == data, what
        assert decode_body(data) == (options, payload), what
        assert decode_body(memoryview(data)) == (options, payload), what


def test_every_truncation_is_refused_or_is_a_shorter_body():
    whole = bytes.fromhex("b172046f70656e" + "ed001707" + "79" * 20 + "ff70")
    complete = (0, 2, 7, 31)  # where an option ends
    for end in range(len(whole)):
        if end in complete:
            options, payload = decode_body(whole[:end])
            assert encode_body(options, payload) == whole[:end]
        else:
            with raises(Malformed, "coap-empty-payload" if whole[end - 1] == 0xFF else "coap-truncated"):
                decode_body(whole[:end])


def test_hostile_bodies():
    for reason, data in (
        ("coap-option-reserved", "f0"),  # delta 15 without being the marker
        ("coap-option-reserved", "0f"),  # length 15
        ("coap-option-reserved", "1ff1"),
        ("coap-empty-payload", "ff"),  # marker without payload
        ("coap-empty-payload", "b172ff"),
        ("coap-option-number", "e0fef310"),  # 65536
        ("coap-option-number", "e0fef2" + "10"),
        ("coap-option-number", "e0ffff"),
        ("coap-truncated", "d0"),
        ("coap-truncated", "e000"),
        ("coap-truncated", "1e00"),
        ("coap-truncated", "1effff"),  # 65804 bytes announced
        ("coap-truncated", "12aa"),
    ):
        with raises(Malformed, reason):
            decode_body(bytes.fromhex(data))


def test_what_cannot_be_encoded():
    with raises(LocalError, "coap-option-order"):
        encode_body([(11, b"a"), (3, b"b")], b"")
    with raises(LocalError, "coap-option-order"):
        encode_body([(65536, b"")], b"")
    with raises(LocalError, "coap-option-length"):
        encode_body([(1, bytes(65536))], b"")


def test_unsigned_integers():
    for number, data in ((0, b""), (1, b"\x01"), (255, b"\xff"), (256, b"\x01\x00"), (0xFFFFFFFF, b"\xff" * 4)):
        assert coap.encode_uint(number) == data
        assert coap.decode_uint(data) == number
    assert coap.decode_uint(b"\x00\x00\x3c") == 60  # leading zeros: RFC 7252 section 3.2
    for number in (-1, 1 << 32):
        with raises(LocalError, "coap-uint"):
            coap.encode_uint(number)


def test_a_message_keeps_its_options_in_order_however_they_are_added():
    message = Message(coap.GET)
    message.add_option(coap.URI_QUERY, "a=1")
    message.add_option(coap.URI_PATH, "r")
    message.add_option(coap.ACCEPT, coap.CONTENT_CBOR)
    message.add_option(coap.URI_PATH, "open")
    message.add_option(coap.OBSERVE, 0)
    message.add_option(coap.URI_QUERY, b"b=2")
    assert [number for number, _ in message.options] == [6, 11, 11, 15, 15, 17]
    assert message.path == ("r", "open")
    assert message.queries == ("a=1", "b=2")
    assert message.uint(coap.OBSERVE) == 0
    assert message.uint(coap.ACCEPT) == 60
    assert (message.option(coap.ETAG), message.uint(coap.ETAG), message.all(coap.ETAG)) == (None, None, [])
    assert message.option(coap.URI_PATH) == b"r"


def test_set_option_replaces_and_removes_and_a_copy_stays_apart():
    message = coap.request(coap.POST, "/r/open", b"payload", coap.CONTENT_CBOR)
    message.token = b"t"
    message.confirmable = False
    twin = message.with_option(coap.URI_PATH, "id")
    assert twin.path == ("id",)
    assert (twin.code, twin.token, twin.payload, twin.confirmable) == (coap.POST, b"t", b"payload", False)
    twin.set_option(coap.CONTENT_FORMAT, None)
    assert twin.option(coap.CONTENT_FORMAT) is None
    assert message.path == ("r", "open")
    assert message.uint(coap.CONTENT_FORMAT) == 60


def test_requests_and_responses_are_built_from_paths():
    assert coap.request(coap.GET, "/.well-known/core").path == (".well-known", "core")
    assert coap.request(coap.GET, ("r", "a/b")).path == ("r", "a/b")
    assert coap.request(coap.GET, "/").options == []
    asked = coap.request(coap.GET, "/r", options=[(coap.OBSERVE, 0)])
    assert asked.is_request
    assert asked.options == [(6, b""), (11, b"r")]
    answer = coap.response(coap.CONTENT, b"x", coap.CONTENT_LINK)
    assert not answer.is_request
    assert (answer.options, answer.payload, answer.token) == ([(12, b"\x28")], b"x", b"")


def test_a_path_that_is_not_text_is_malformed():
    with raises(Malformed, "coap-utf8"):
        Message(coap.GET, options=[(coap.URI_PATH, b"\xff")]).path  # noqa: B018


def test_codes_have_classes():
    assert coap.code_text(coap.CONTENT) == "2.05"
    assert coap.code_text(coap_numbers.GATEWAY_TIMEOUT) == "5.04"
    for code in (0x00, 0x01, 0x1F, 0x45, 0x80, 0xBF):
        coap.check_code(code)
    for code in (0x20, 0x3F, 0xC0, 0xE1, 0xFF):
        with raises(Malformed, "coap-code"):
            coap.check_code(code)


def test_a_message_shows_neither_path_nor_payload():
    shown = repr(coap.request(coap.POST, "/secret-door", b"secret-payload"))
    assert "secret" not in shown
    assert "0.02" in shown


def test_critical_options_are_understood_or_refused():
    known = (coap.URI_PATH, coap.BLOCK2, coap.ACCEPT, coap.EDHOC)
    assert coap.is_critical(coap.URI_PATH) and not coap.is_critical(coap.OBSERVE)
    check_critical([(6, b""), (11, b"r"), (11, b"open"), (17, b"\x3c"), (23, b"\x06"), (252, bytes(60))], known)
    check_critical([(coap.EDHOC, b"ignored")], known)  # RFC 9668 section 3.1
    for options in (
        [(coap_numbers.IF_MATCH, b"")],  # critical, not in our list
        [(65001, b"")],
        [(coap.URI_PATH, b"x" * 256)],  # too long: RFC 7252 section 5.4.3
        [(coap.BLOCK2, bytes(4))],
        [(coap.ACCEPT, bytes(3))],
        [(coap.ACCEPT, b"\x3c"), (coap.ACCEPT, b"\x3c")],  # may not repeat: section 5.4.5
        [(coap.EDHOC, b""), (coap.EDHOC, b"")],
    ):
        with raises(Unsupported, "coap-critical-option"):
            check_critical(options, known)


def test_only_the_latest_notification_waits():
    def notification(token, value):
        return coap.Message(coap.CONTENT, token, [(coap.OBSERVE, value)])

    queue = []
    plain = coap.Message(coap.CONTENT, b"a")
    asked = coap.Message(coap.GET, b"a", [(coap.OBSERVE, 0)])
    for message in (plain, asked, notification(b"a", 1), notification(b"b", 2), notification(b"a", 3), plain):
        coap.queue_up(queue, message, message.uint(coap.OBSERVE))
    assert [data for _, data in queue] == [None, 0, 3, 2, None]


def test_the_oldest_message_goes_when_too_many_wait():
    queue = []
    dropped = [coap.queue_up(queue, Message(coap.CONTENT, bytes((number,))), number) for number in range(10)]
    assert dropped == [None] * 8 + [b"\x00", b"\x01"]
    assert [data for _, data in queue] == list(range(2, 10))
