"""What QR codes hold, and what people type from a sealed label."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admit import codes
from admit.codes import DeviceCode
from admit_protocol import label
from admit_protocol.errors import Malformed
from support import vectors

QUICK = settings(max_examples=200, deadline=None, derandomize=True)
VECTORS = vectors("labels.json")
ALPHANUMERIC = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")  # of a QR code's compact mode
SECRET = bytes(range(16))


@pytest.mark.parametrize("each", VECTORS["device"], ids=lambda each: each["device_id"][:8])
def test_a_public_label_has_the_content_of_the_vectors(each):
    code = DeviceCode(bytes.fromhex(each["site_id"]), bytes.fromhex(each["fingerprint"]), each["device_id"])
    assert code.text() == each["content"] and set(each["content"]) <= ALPHANUMERIC
    assert codes.parse_device(each["content"]) == code


@pytest.mark.parametrize("each", VECTORS["sealed"], ids=lambda each: each["text"][:4])
def test_a_sealed_label_has_the_codes_of_the_vectors(each):
    secret = bytes.fromhex(each["secret"])
    assert (codes.sealed_text(secret), codes.sealed_content(secret)) == (each["text"], each["content"])
    assert label.advertised_name(secret) == each["name"]
    assert codes.parse_sealed(each["text"]) == codes.parse_sealed(each["content"]) == secret


@QUICK
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), st.text(min_size=1, max_size=16))
def test_any_name_survives_its_code(site_id, fingerprint, device_id):
    try:
        code = DeviceCode(site_id, fingerprint, device_id)
        text = code.text()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    assert codes.parse_device(text) == code


@QUICK
@given(st.text(st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZadmit:/ILOU-"), max_size=60))
def test_whatever_is_read_as_a_public_label_has_no_other_text(text):
    for content in (text, codes.DEVICE + text):
        try:
            assert codes.parse_device(content).text() == content
        except Malformed as error:
            assert error.reason == "label-code"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "ADMIT:D/",
        "ADMIT:S/000G40R40M30E209185GR38E1XF3",
        "https://example.org/",
        VECTORS["device"][0]["content"].lower(),
        VECTORS["device"][0]["content"] + "0",
        VECTORS["device"][0]["content"][:-1] + "5",  # a padding bit that is not 0
        VECTORS["device"][0]["content"][:-1] + "U",
        codes.DEVICE + codes.encode(bytes(24)),  # no name
        codes.DEVICE + codes.encode(bytes(24) + b"x" * 65),
        codes.DEVICE + codes.encode(bytes(24) + b"\xff"),
    ],
)
def test_what_is_no_public_label_is_refused(content):
    with pytest.raises(Malformed, match="label-code"):
        codes.parse_device(content)


def test_people_may_type_as_they_read():
    text = codes.sealed_text(SECRET)
    for typed in (
        text,
        text.lower(),
        text.replace("-", " "),
        text.replace("-", ""),
        text.replace("0", "O"),
        text.replace("0", "o").replace("1", "l"),
        text.replace("1", "I"),
        f"  {text}\n",
        codes.sealed_content(SECRET).lower(),
    ):
        assert codes.parse_sealed(typed) == SECRET


@QUICK
@given(st.integers(0, 27), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_wrong_character_is_noticed(at, character):
    """The check has 12 bits: of these wrong codes, none passes."""
    code = codes.sealed_text(SECRET).replace("-", "")
    wrong = code[:at] + character + code[at + 1 :]
    if wrong == code:
        return
    with pytest.raises(Malformed, match="label-code"):
        codes.parse_sealed(wrong)


@pytest.mark.parametrize(
    "typed", ["", "0", codes.sealed_text(SECRET)[:-1], codes.sealed_text(SECRET) + "0", "U" * 28, "é" * 28]
)
def test_what_is_no_sealed_label_is_refused_and_never_repeated(typed):
    with pytest.raises(Malformed, match="label-code") as caught:
        codes.parse_sealed(typed)
    assert not typed or typed not in str(caught.value)
