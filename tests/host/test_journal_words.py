"""A record in words: people by the registry, rules by their grants, times with what the device knew of them."""

import re
from zoneinfo import ZoneInfo

import pytest

from admit import admin, journal_words
from admit.admin import Access
from admit.journal_words import Names, fields, time_text
from admit.suite import HostSuite
from admit_protocol import aif, journal
from admit_protocol.journal_reader import Record
from imports import ROOT
from sites import NOW

ZONE = ZoneInfo("Europe/Berlin")
PUBLIC = HostSuite().generate().public


def record(kind=journal.DECISION, who=None, what="POST /r/open", outcome=journal.ALLOWED, time=NOW, **extra):
    return Record(7, time, kind, who, what, outcome, {getattr(journal, key): value for key, value in extra.items()})


@pytest.fixture
def names(site, signer):
    site.registry.add_user("alice", [PUBLIC], NOW)
    row = admin.give(site, signer, "alice", Access(["*"], [("/r/open", aif.POST, {3: {"seconds": [None, 3]}})]), NOW)
    found = Names(site.registry)
    found.grant_id = bytes.fromhex(row.id)
    return found


def test_a_key_is_a_person_and_a_number_is_a_rule(names):
    told = fields(record(who=journal.person(PUBLIC), RULE=0, BY=names.grant_id), names, ZONE)
    assert (told["no"], told["who"], told["what"], told["outcome"]) == (7, "alice", "POST /r/open", "allowed")
    assert told["key"] == journal.person(PUBLIC).hex()
    assert told["why"] == "POST /r/open, seconds at most 3"
    assert told["time"] == "2027-01-15 09:00"


def test_what_nobody_knows_is_shown_as_it_is(names):
    told = fields(record(99, b"\x01" * 8, "x", 9, RULE=0, BY=b"\x02" * 8, REASON="new-reason"), names, ZONE)
    assert (told["who"], told["kind"], told["what"], told["outcome"]) == ("key " + "01" * 8, "99", "99 x", "9")
    assert told["why"] == "new-reason; rule 0; by " + "02" * 8
    for wrong in ({"RULE": 9, "BY": names.grant_id}, {"RULE": -1, "BY": names.grant_id}, {"RULE": True, "BY": b""}):
        assert names.rule(record(**wrong)) is None
    assert fields(record(BY="night"), names, ZONE)["why"] == "by night"
    assert fields(record(KEY=journal.person(PUBLIC)), names, ZONE)["why"] == "for alice"
    assert fields(record(), names, ZONE)["who"] is None


def test_a_time_says_how_sure_it_is():
    assert time_text(record(time=None), ZONE) is None
    assert time_text(record(FLOOR=True), ZONE) == "after 2027-01-15 09:00"
    assert time_text(record(UNCERTAIN_S=120), ZONE) == "2027-01-15 09:00"
    assert time_text(record(UNCERTAIN_S=1200), ZONE) == "2027-01-15 09:10 ±10 min"
    assert time_text(record(UNCERTAIN_S="x"), ZONE) == "2027-01-15 09:00"


def test_every_reason_of_a_denial_has_words():
    sources = [ROOT / "firmware" / name for name in ("admit_protocol/standing.py", "admit_protocol/rule.py")]
    found = {reason for path in sources for reason in re.findall(r'"((?:grant|rule)-[a-z-]+)"', path.read_text())}
    assert found - {"rule-allows"} <= journal_words.REASONS.keys() and len(found) > 15
