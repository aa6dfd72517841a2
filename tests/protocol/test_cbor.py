"""CBOR: RFC 8949's own examples, every way to break the deterministic subset, and the limits."""

from admit_protocol import cbor
from admit_protocol.cbor import Tag
from admit_protocol.errors import LocalError, Malformed
from support import raises, vectors


def plain(value):
    """The Python value of a value in tests/vectors/cbor.json."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "int" in value:
        return int(value["int"])
    if "bytes" in value:
        return bytes.fromhex(value["bytes"])
    if "tag" in value:
        return Tag(value["tag"][0], plain(value["tag"][1]))
    return {plain(key): plain(item) for key, item in value["map"]}


def nested(depth, outer, inner="00"):
    return bytes.fromhex(outer * depth + inner)


def test_the_examples_of_rfc_8949_decode_and_encode_to_the_same_bytes():
    for vector in vectors("cbor.json")["accepted"]:
        data = bytes.fromhex(vector["hex"])
        value = plain(vector["value"])
        decoded = cbor.decode(data)
        assert decoded == value and type(decoded) is type(value), vector["hex"]
        assert cbor.encode(value) == data, vector["hex"]


def test_everything_else_is_refused_with_its_own_reason():
    for vector in vectors("cbor.json")["refused"]:
        try:
            cbor.decode(bytes.fromhex(vector["hex"]))
        except Malformed as error:
            assert error.reason == vector["reason"], (vector, error.reason)
        else:
            raise AssertionError(vector)


def test_no_prefix_of_a_valid_item_is_valid():
    whole = cbor.encode({1: [b"abc", "d\u00e9f", -70000], "k": Tag(24, b"x"), b"z": {24: None}})
    for end in range(len(whole)):
        with raises(Malformed, "cbor-truncated"):
            cbor.decode(whole[:end])


def test_any_buffer_decodes_and_encodes_and_byte_strings_come_out_as_bytes():
    data = bytes.fromhex("82430102036161")
    for buffer in (data, bytearray(data), memoryview(data), memoryview(b"\x00" + data)[1:]):
        value = cbor.decode(buffer)
        assert value == [b"\x01\x02\x03", "a"] and type(value[0]) is bytes
    for buffer in (bytearray(b"\x01\x02\x03"), memoryview(b"\x01\x02\x03")):
        assert cbor.encode(buffer) == b"\x43\x01\x02\x03"


def test_a_decoded_value_does_not_change_with_the_buffer_that_it_came_from():
    buffer = bytearray(b"\x43abc")
    value = cbor.decode(buffer)
    buffer[1] = 0
    assert value == b"abc"


def test_map_keys_are_sorted_by_their_encodings_whatever_order_they_were_put_in():
    # The example of RFC 8949 section 4.2.1, less false and the array, which are no keys here.
    keys = ["aa", -1, 100, "z", 10]
    expected = bytes.fromhex("a50af61864f620f6617af6626161f6")
    assert cbor.encode({key: None for key in keys}) == expected
    assert cbor.encode({key: None for key in sorted(keys, key=str)}) == expected


def test_a_byte_string_key_and_a_text_key_with_the_same_letters_are_two_keys():
    data = bytes.fromhex("a2416101616102")
    assert cbor.decode(data) == {b"a": 1, "a": 2}
    assert cbor.encode(cbor.decode(data)) == data


def test_true_is_not_one():
    assert cbor.encode(True) == b"\xf5" and cbor.encode(1) == b"\x01"
    assert cbor.decode(b"\xf5") is True
    assert cbor.encode([False, 0]) == b"\x82\xf4\x00"


def test_eight_levels_are_allowed_and_nine_are_not():
    for outer in ("81", "a100", "c1"):
        data = nested(8, outer)
        value = cbor.decode(data)
        assert cbor.encode(value) == data
        with raises(Malformed, "cbor-too-deep"):
            cbor.decode(nested(9, outer))
        with raises(LocalError, "cbor-too-deep"):
            cbor.encode([value])


def test_a_list_that_holds_itself_does_not_exhaust_the_stack():
    endless = []
    endless.append(endless)
    with raises(LocalError, "cbor-too-deep"):
        cbor.encode(endless)


def test_four_kibibytes_are_allowed_and_one_byte_more_is_not():
    data = cbor.encode(bytes(4096 - 3))
    assert len(data) == cbor.MAX_LENGTH and len(cbor.decode(data)) == 4093
    longer = cbor.encode(bytes(4096 - 2))
    for refuses in (cbor.decode, cbor.decode_sequence, cbor.decode_first):
        with raises(Malformed, "cbor-too-long"):
            refuses(longer)
    assert len(cbor.decode(longer, 5000)) == 4094
    with raises(Malformed, "cbor-too-long"):
        cbor.decode(b"\x82\x01\x02", 2)


def test_sequences_hold_any_number_of_items():
    assert cbor.decode_sequence(b"") == []
    assert cbor.encode_sequence([]) == b""
    data = bytes.fromhex("0142aabb8102")
    assert cbor.decode_sequence(data) == [1, b"\xaa\xbb", [2]]
    assert cbor.encode_sequence([1, b"\xaa\xbb", [2]]) == data
    with raises(Malformed, "cbor-truncated"):
        cbor.decode_sequence(data[:-1])


def test_decode_first_says_where_the_rest_begins():
    data = bytes.fromhex("ff820102f6")
    assert cbor.decode_first(data, 1) == ([1, 2], 4)
    assert cbor.decode_first(memoryview(data), 4) == (None, 5)
    with raises(Malformed, "cbor-truncated"):
        cbor.decode_first(data, 5)


def test_what_has_no_encoding_here_is_our_own_mistake():
    for value in (1.5, 2**64, -(2**64) - 1, {1, 2}, object(), {True: 1}, {None: 1}, {(1,): 1}):
        with raises(LocalError, "cbor-type"):
            cbor.encode([value])
    for number in (-1, 2**64, True, "18", None):
        with raises(LocalError, "cbor-type"):
            cbor.encode(Tag(number, 0))
    with raises(LocalError, "cbor-utf8"):
        cbor.encode("\ud800")


def test_tags_compare_by_number_and_value():
    assert Tag(18, [1]) == Tag(18, [1])
    assert Tag(18, [1]) != Tag(17, [1]) and Tag(18, [1]) != Tag(18, [2]) and Tag(18, 1) != 1


def test_expect_lets_a_value_pass_only_with_its_exact_type():
    assert cbor.expect(5, int, "x-type") == 5
    assert cbor.expect("a", (bytes, str), "x-type") == "a"
    for value, kind in ((True, int), (5, str), (None, bytes), (b"", str), ([], (dict, int)), (False, (int, str))):
        with raises(Malformed, "x-type"):
            cbor.expect(value, kind, "x-type")
