"""Rules are found, not looked through: what a decision costs does not grow with the rules that are not about it."""

import subjects
from admit_protocol import rule, rule_index
from rule_work import grant_of, policy_of, work

POST = 2


def test_among_a_thousand_rules_a_decision_costs_what_it_costs_among_ten():
    asked = (POST, "/r/open", None)
    few, decision = work(grant_of(10), policy_of(10), asked)
    many, same = work(grant_of(1000), policy_of(1000), asked)
    assert decision.allowed and (same.allowed, same.reason, same.rule) == (True, "rule-allows", 999)
    print("looked at", few[0], "among 10 rules,", many[0], "among 1000")
    assert 0 < many[0] <= 1.5 * few[0]


def test_a_denial_among_a_thousand_is_found_alike():
    bob = (subjects.link(grant_of(1)[0].rules, selectors=("everyone", "key:f%015x" % 2, "user:bob")),)
    few, decision = work(bob, policy_of(10), (POST, "/r/open", None))
    many, same = work(bob, policy_of(1000), (POST, "/r/open", None))
    assert decision.by == same.by == "last" and decision.reason == "rule-denied"
    assert 0 < many[0] <= 1.5 * few[0]


def test_what_is_found_is_what_looking_through_all_would_find():
    rules = policy_of(400)[0]
    index = rule_index.build(rules)
    for name in ("u0", "u7", "alice", "nobody"):
        for trusted in (1, 4):
            link = subjects.link((), selectors=("everyone", "group:g3", "user:" + name, "role:r11"), trusted=trusted)
            believed = link.selectors[:trusted]
            for path in ("/r/door8", "/r/door85", "/r/", "/journal", "", "/r/door0"):
                expected = []
                for one in rules:
                    named = believed if one.effect == rule.ALLOW else link.selectors
                    if rule.matches(one.pattern, path) and any([each in named for each in one.subjects]):
                        if not any([each in believed for each in one.exceptions]):
                            expected.append(one)
                assert rule_index.find(index, link, path) == expected, (name, path)


def test_patterns_are_found_in_their_order():
    patterns = ["*", "/r/open", "/r/*", "/r/open*", "/r/open", "/x", "/r/opener"]
    index = rule_index.index_patterns(patterns)
    for path in ("/r/open", "/r/opener", "/r/", "/x", "", "/r/ope"):
        expected = [number for number, pattern in enumerate(patterns) if rule.matches(pattern, path)]
        assert rule_index.find_patterns(index, path) == expected


def test_an_empty_policy_says_nothing():
    assert rule_index.find(rule_index.build(()), subjects.link(()), "/r/open") == []


def test_an_index_is_made_of_plain_things_which_may_outlive_the_module():
    rules, patterns = policy_of(5)
    assert isinstance(rules, tuple) and isinstance(patterns, tuple)
    assert all([type(each) is dict for each in patterns[1].values()])
