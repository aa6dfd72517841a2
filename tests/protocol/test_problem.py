"""Problem details: RFC 9290."""

from admit_protocol import cbor, coap, coap_numbers, problem
from admit_protocol.errors import Denied, LocalError, Malformed, NotFound
from support import raises


def test_a_denial_says_why_in_the_standard_keys_and_our_number_in_an_entry_of_our_own():
    payload = problem.encode(Denied("rule-outside-window", "Monday 22:10"))
    assert cbor.decode(payload) == {-1: "rule-outside-window", -2: "Monday 22:10", "admit:": {1: 25}}


def test_the_rule_is_told_only_when_the_caller_adds_it():
    denied = Denied("rule-outside-window")
    assert problem.decode(problem.encode(denied)) == {problem.TITLE: "rule-outside-window", problem.CODE: 25}
    assert problem.decode(problem.encode(denied, {problem.RULE: 3}))[problem.RULE] == 3
    with raises(LocalError, "problem-extra"):
        problem.encode(denied, {problem.CODE: 1})
    with raises(LocalError, "problem-extra"):
        problem.encode(denied, {problem.TITLE: "another"})


def test_an_error_becomes_a_response_with_its_coap_code():
    response = problem.error_response(NotFound("resource-unknown"))
    assert response.code == coap_numbers.NOT_FOUND
    assert response.uint(coap.CONTENT_FORMAT) == 257
    assert problem.decode(response.payload) == {problem.TITLE: "resource-unknown", problem.CODE: 26}


def test_entries_of_others_are_ignored():
    # RFC 9290 sections 3.1 and 3.2: unknown standard keys, unknown custom entries, unknown keys inside a known one.
    theirs = {
        -1: "t",
        -3: "coaps://pd.example/FA317434",
        -4: 128,
        4711: {0: "x"},
        "tag:3gpp.org,2022-03:TS29112": {0: "x"},
    }
    assert problem.decode(cbor.encode(theirs)) == {problem.TITLE: "t"}
    assert problem.decode(cbor.encode({"admit:": {-1: "a title must not hide here", 9: "later"}})) == {9: "later"}
    assert problem.decode(cbor.encode({})) == {}


def test_wrong_types_are_malformed():
    for wrong in (["t"], {-1: 5}, {-2: b"bytes"}, {"admit:": 25}, {"admit:": {1: "25"}}, {"admit:": {"1": 25}}):
        with raises(Malformed, "problem-type"):
            problem.decode(cbor.encode(wrong))
    with raises(Malformed, "cbor-truncated"):
        problem.decode(problem.encode(NotFound("resource-unknown"))[:-1])
