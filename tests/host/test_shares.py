"""Shares as words: the standard's own vectors, any k of n, and what people make of words when they copy them."""

import itertools
import json
import random
from unittest import mock

import pytest
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from admit import shares
from admit_protocol.errors import LocalError
from imports import ROOT

VECTORS = json.loads((ROOT / "tests/vectors/slip39.json").read_text())
SECRET = bytes(range(16))
with mock.patch("shamir_mnemonic.shamir.RANDOM_BYTES", random.Random(2).randbytes):
    MADE = shares.split(SECRET, 5, 3)


def refusal(call, *arguments):
    """(reason, detail) of the error; no word of a share is in it."""
    with pytest.raises(LocalError) as caught:
        call(*arguments)
    told = set(caught.value.detail.replace(",", " ").split())
    assert not told & {word for share in MADE for word in share.split()}
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda each: each["what"])
def test_the_library_does_what_the_standard_says(vector):
    passphrase = VECTORS["passphrase"].encode()
    if vector["secret"]:
        assert combine_mnemonics(vector["shares"], passphrase).hex() == vector["secret"]
    else:
        with pytest.raises(MnemonicError):
            combine_mnemonics(vector["shares"], passphrase)


def test_any_three_of_five_give_the_secret_in_any_order():
    for three in itertools.combinations(MADE, 3):
        assert shares.combine(three) == shares.combine(three[::-1]) == SECRET
    assert combine_mnemonics(MADE[1:4]) == SECRET  # and so does any other program that knows SLIP-39
    assert shares.combine(MADE[:4]) == SECRET


@pytest.mark.parametrize("count, threshold", [(2, 2), (16, 2), (16, 16)])
def test_the_bounds_of_the_numbers(count, threshold):
    made = shares.split(SECRET, count, threshold)
    assert len(made) == count and all(len(share.split()) == shares.WORDS for share in made)
    assert shares.combine(made[-threshold:]) == SECRET


@pytest.mark.parametrize("count, threshold", [(1, 1), (5, 1), (5, 6), (17, 3), (0, 0)])
def test_numbers_that_protect_nothing_are_refused(count, threshold):
    assert refusal(shares.split, SECRET, count, threshold)[0] == "recovery-numbers"


def test_too_few_shares_are_counted():
    assert refusal(shares.combine, MADE[:2]) == ("recovery-too-few", "2 of the 3 that are needed")
    assert refusal(shares.combine, [])[0] == "recovery-too-few"


def test_shares_of_two_sets_are_told_apart_and_named():
    other = shares.split(SECRET, 5, 3)
    assert refusal(shares.combine, [MADE[0], MADE[1], other[2]]) == (
        "recovery-other-set",
        "it is of another set than share 1",
    )


def test_shares_of_two_sets_that_look_like_one_are_refused_together(monkeypatch):
    monkeypatch.setattr("shamir_mnemonic.shamir._random_identifier", lambda: 7)
    one, other = shares.split(SECRET, 3, 2), shares.split(bytes(16), 3, 2)
    assert refusal(shares.combine, [one[0], other[1]]) == ("recovery-other-set", "these shares do not belong together")


def test_one_share_twice_is_one():
    assert refusal(shares.combine, [MADE[0], MADE[1], MADE[0]]) == ("recovery-twice", "it is share 1 once more")


def test_a_share_may_be_typed_as_people_type():
    share = shares.parse(f"  {MADE[0].upper()}\t\n")
    assert shares.parse(MADE[0]) == share
    typed = [f"\n{MADE[0]}  ", MADE[1].replace(" ", "  "), MADE[2].title()]
    assert shares.combine(typed) == SECRET


def test_a_word_that_is_none_is_named_by_its_place():
    words = MADE[0].split()
    for place in range(shares.WORDS):
        typed = [*words[:place], "zzz", *words[place + 1 :]]
        assert refusal(shares.parse, " ".join(typed)) == (
            "recovery-word",
            f"word {place + 1} is not in the list of words",
        )
    typed = ["zzz", *words[1:6], "yyy", *words[7:]]
    assert refusal(shares.parse, " ".join(typed))[1] == "words 1 and 7 are not in the list of words"


def test_a_word_that_is_another_one_is_named_by_its_place():
    words = MADE[0].split()
    for place in range(shares.WORDS):
        other = "academic" if words[place] != "academic" else "acid"
        with pytest.raises(LocalError) as caught:
            shares.parse(" ".join([*words[:place], other, *words[place + 1 :]]))
        assert (caught.value.reason, caught.value.detail) == (
            "recovery-word",
            f"word {place + 1} is wrong, although it is in the list of words",
        )


def test_words_that_changed_places_are_not_taken_for_one_that_is_wrong():
    words = MADE[0].split()
    at = next(at for at in range(4, 19) if words[at] != words[at + 1])
    words[at], words[at + 1] = words[at + 1], words[at]
    assert refusal(shares.parse, " ".join(words)) == (
        "recovery-word",
        "two or more words are wrong, or not in their order",
    )


@pytest.mark.parametrize("change", [lambda words: words[1:], lambda words: [*words, words[0]], lambda words: []])
def test_a_share_of_another_length_is_said_to_be_one(change):
    assert refusal(shares.parse, " ".join(change(MADE[0].split())))[0] == "recovery-length"


def test_shares_of_other_programs_are_none_of_ours():
    foreign = [VECTORS["vectors"][2]["shares"][0]]  # without the flag "extendable", as SLIP-39 was at first
    foreign += generate_mnemonics(2, [(2, 3), (2, 3)], SECRET)[0][:1]  # of a group of groups
    foreign += generate_mnemonics(1, [(1, 1)], SECRET)[0]  # that protects nothing
    for share in foreign:
        assert refusal(shares.parse, share)[0] == "recovery-other-set"
