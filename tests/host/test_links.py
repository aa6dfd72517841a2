"""Texts of links and QR codes: one for each content, with and without a site's page before it, and nothing else."""

import pytest

from admit import codes, invites, links
from admit.codes import DeviceCode
from admit_protocol.errors import LocalError, Malformed
from support import vectors

VECTORS = vectors("links.json")
PAGE = "https://keys.example.org/"


def made(each):
    """The text that we make of a vector's fields."""
    field = {name: bytes.fromhex(each[name]) for name in ("site_id", "fingerprint", "secret", "invite") if name in each}
    if each["kind"] == "label":
        return DeviceCode(field["site_id"], field["fingerprint"], each["device_id"]).text()
    if each["kind"] == "invite":
        return invites.encode(invites.Link(field["secret"], field["site_id"], field["invite"]))
    if each["kind"] == "key":
        return links.Key(bytes.fromhex(each["login"]), bytes.fromhex(each["sign"]), each["name"]).text()
    return links.Invitation(bytes.fromhex(each["invitation"])).text()


@pytest.mark.parametrize("each", VECTORS["links"], ids=lambda each: each["kind"])
def test_a_link_is_made_and_read_in_both_forms(each):
    assert made(each) == each["text"]
    assert links.on_page(PAGE, each["text"]) == each["on_page"]
    assert links.on_page(None, each["text"]) == each["text"]
    assert links.parse(each["text"]) == links.parse(each["on_page"]) == links.parse(f" {each['on_page']}\n")


@pytest.mark.parametrize("each", VECTORS["refused"], ids=lambda each: f"{each['reason']} {each['text'][:24]}")
def test_what_is_no_link_is_refused_by_name_and_never_repeated(each):
    with pytest.raises(Malformed) as caught:
        links.parse(each["text"])
    assert caught.value.reason == each["reason"]
    assert len(each["text"]) < 12 or each["text"][8:] not in str(caught.value)


@pytest.mark.parametrize("text", ["A" * 65537, PAGE + "#key=" + "A" * 65537])
def test_a_link_has_an_end(text):
    with pytest.raises(Malformed, match="link-unknown"):
        links.parse(text)


@pytest.mark.parametrize("page", VECTORS["pages"])
def test_a_page_of_ones_own(page):
    assert links.check_page(page) == page


@pytest.mark.parametrize("page", VECTORS["no_pages"])
def test_what_is_no_page(page):
    with pytest.raises(LocalError, match="page-url"):
        links.on_page(page, VECTORS["links"][0]["text"])


@pytest.mark.parametrize("page", [PAGE, "http://localhost:8642/"])
def test_a_sealed_label_never_gets_a_page(page):
    with pytest.raises(LocalError, match="link-sealed"):
        links.on_page(page, codes.sealed_content(bytes(16)))


def test_a_secret_stands_behind_the_fragments_mark_alone():
    invite = next(each for each in VECTORS["links"] if each["kind"] == "invite")
    address, _, fragment = invite["on_page"].partition("#")
    assert address == PAGE and fragment == "invite=" + invite["text"].removeprefix(invites.PREFIX)


def test_a_qr_code_keeps_a_labels_capitals_apart():
    label = VECTORS["links"][0]["text"]
    assert links.parts_on_page(PAGE, label) == [f"{PAGE}#", label] and links.parts_on_page(None, label) == [label]
    key = next(each for each in VECTORS["links"] if each["kind"] == "key")
    assert links.parts_on_page(PAGE, key["text"]) == [key["on_page"]]
