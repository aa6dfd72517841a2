"""Rules found by what they are about, never by looking through all of them.

Owns: the index of a policy, and that of a grant with many rules.
Rules: an index is made of tuples, dicts and lists, so that it may outlive this module. What a search costs depends on
the length of a path and on how many selectors name somebody, not on how many rules there are.
Must not know: what a rule decides.
"""

from .rule import ALLOW


def build(rules):
    """The index of a policy, a sequence of rule.PolicyRule."""
    patterns = index_patterns([one[3] for one in rules])
    for pattern, numbers in list(patterns[1].items()):
        patterns[1][pattern] = by_selector = {}
        for number in numbers:
            for selector in rules[number][1]:
                by_selector.setdefault(selector, []).append(number)
    return tuple(rules), patterns


def find(policy, link, path):
    """The rules of a policy that are about `path` and about the holder of a rule.Link, in the policy's order.

    A rule that allows, and an exception, are for those of whom the authority says it; a denial for any who say it.
    """
    rules, patterns = policy
    found = set()
    for by_selector in _about(patterns, path):
        for place, selector in enumerate(link.selectors):
            for number in by_selector.get(selector, ()):
                if place < link.trusted or rules[number][0] != ALLOW:
                    found.add(number)
    excepted = link.selectors[: link.trusted]
    return [rules[number] for number in sorted(found) if not [each for each in rules[number][2] if each in excepted]]


def index_patterns(patterns):
    """(lengths of those that end in a star, {pattern: numbers}) for a list of patterns."""
    numbers = {}
    for number, pattern in enumerate(patterns):
        numbers.setdefault(pattern, []).append(number)
    return tuple(sorted({len(each) - 1 for each in patterns if each.endswith("*")})), numbers


def find_patterns(index, path):
    """The numbers of the patterns that match `path`, ascending."""
    return sorted([number for numbers in _about(index, path) for number in numbers])


def _about(index, path):
    lengths, entries = index
    names = [path] + [path[:length] + "*" for length in lengths if length <= len(path)]
    return [entries[name] for name in names if name in entries]
