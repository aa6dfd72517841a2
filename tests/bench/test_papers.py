"""A courier carries what is new, and nothing else: asserted byte by byte."""

import paper_sizes as papers
from admit_protocol import bundle, cbor, issuing


def size(state, before=papers.BEFORE):
    return len(issuing.bundle(papers.KEY, papers.SITE, "kiosk-1", **issuing.changes((before, state))))


def test_every_paper_keeps_its_promise():
    assert [(what, size) for what, size, limit, _ in papers.sizes() if size > limit] == []


def test_a_change_costs_its_own_bytes_and_no_more():
    least = size(papers.after())
    assert size(papers.after(revoked=papers.ids(range(papers.HELD + 1)))) == least + 8
    assert size(papers.after(revoked=papers.ids(range(papers.HELD + 10)))) == least + 80 + 1  # and a longer head
    assert size(papers.after(revoked=papers.ids(range(1, papers.HELD)))) == least + 8
    one, two = papers.lockdown(1), papers.lockdown(2)
    with_one = size(papers.after(rules=[one]))
    assert with_one == least + len(cbor.encode([one])) - 1  # instead of null
    assert size(papers.after(rules=[one, two])) - with_one == len(cbor.encode(two))
    selectors = ["user:alice", "user:mallory"]
    assert size(papers.after(selectors=selectors)) == least + len(cbor.encode(selectors)) - 1


def test_what_a_device_holds_already_costs_nothing():
    few = papers.BEFORE[:2] + (papers.ids(range(3)),) + papers.BEFORE[3:]
    many = papers.after(revoked=papers.ids(range(papers.HELD + 1)))
    assert size(papers.after(revoked=papers.ids(range(4))), few) == size(many)


def test_a_device_without_a_policy_gets_all_of_it():
    whole = size(papers.after(), bundle.NOTHING)
    assert whole > size(papers.after()) + 8 * papers.HELD
