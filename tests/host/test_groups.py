"""Groups of groups: who is in one, and that none is in itself."""

import pytest

from admit import groups
from admit_protocol.errors import Conflict

MEMBERS = {
    "all": ["group:day", "group:night", "user:carol"],
    "day": ["user:alice"],
    "night": ["group:guards", "user:alice"],
    "guards": ["user:bob"],
    "empty": [],
}


def test_everybody_in_a_group_is_found_at_whatever_remove():
    assert groups.people(MEMBERS, "all") == {"alice", "bob", "carol"}
    assert groups.people(MEMBERS, "night") == {"alice", "bob"}
    assert groups.people(MEMBERS, "empty") == set()
    assert groups.people_of(MEMBERS, "user:dave") == {"dave"}
    assert groups.people_of(MEMBERS, "group:guards") == {"bob"}


def test_everybody_is_in_all_groups_that_hold_theirs():
    assert groups.memberships(MEMBERS) == {
        "alice": ["group:all", "group:day", "group:night"],
        "bob": ["group:all", "group:guards", "group:night"],
        "carol": ["group:all"],
    }


@pytest.mark.parametrize(
    "members, said",
    [
        ({"a": ["group:a"]}, "a would hold a"),
        ({"a": ["group:b"], "b": ["group:a"]}, "a would hold b would hold a"),
        ({"a": ["group:b"], "b": ["group:c"], "c": ["group:b", "user:x"]}, "b would hold c would hold b"),
    ],
)
def test_a_group_in_itself_is_refused_and_the_way_is_shown(members, said):
    with pytest.raises(Conflict) as caught:
        groups.check_acyclic(members)
    assert caught.value.reason == "group-cycle"
    assert said in caught.value.detail


def test_a_group_that_is_reached_in_two_ways_is_no_cycle():
    groups.check_acyclic(MEMBERS)
    groups.check_acyclic({"a": ["group:b", "group:c"], "b": ["group:d"], "c": ["group:d"], "d": []})


def test_a_cycle_that_is_there_already_ends_no_search():
    assert groups.people({"a": ["group:b"], "b": ["group:a", "user:x"]}, "a") == {"x"}


def test_each_group_is_looked_at_once():
    deep = {f"g{n}": [f"group:g{n + 1}", f"group:g{n + 2}"] for n in range(60)} | {"g60": ["user:x"], "g61": []}
    groups.check_acyclic(deep)
    assert groups.people(deep, "g0") == {"x"}
