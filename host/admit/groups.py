"""Groups of people, and groups of groups: who is in one, and which ones somebody is in.

Rules: no group is in itself, at whatever remove; each search looks at a group once. Members are selectors: `user:NAME`
or `group:NAME`.
Must not know: the database.
"""

from collections.abc import Iterable, Mapping

from admit_protocol.errors import Conflict

GROUP = "group:"
USER = "user:"

Members = Mapping[str, Iterable[str]]  # by the group's name


def people(members: Members, group: str) -> set[str]:
    """The names of all users in a group."""
    found: set[str] = set()
    seen, left = {group}, [group]
    while left:
        for each in members.get(left.pop(), ()):
            if each.startswith(USER):
                found.add(each.removeprefix(USER))
            elif (inner := each.removeprefix(GROUP)) not in seen:
                seen.add(inner)
                left.append(inner)
    return found


def people_of(members: Members, selector: str) -> set[str]:
    """The names of the users that `user:NAME` or `group:NAME` means."""
    if selector.startswith(GROUP):
        return people(members, selector.removeprefix(GROUP))
    return {selector.removeprefix(USER)}


def memberships(members: Members) -> dict[str, list[str]]:
    """The selectors of all groups that each user is in, directly or not, in order."""
    found: dict[str, list[str]] = {}
    for group in sorted(members):
        for name in people(members, group):
            found.setdefault(name, []).append(GROUP + group)
    return found


def check_acyclic(members: Members) -> None:
    """Raises Conflict group-cycle, which names the groups of a cycle in their order."""
    done: set[str] = set()
    for group in sorted(members):
        _walk(members, group, [], done)


def _walk(members: Members, group: str, way: list[str], done: set[str]) -> None:
    if group in way:
        cycle = [*way[way.index(group) :], group]
        raise Conflict("group-cycle", f"{' would hold '.join(cycle)}: a group cannot be in itself")
    if group in done:
        return
    way.append(group)
    for each in sorted(members.get(group, ())):
        if each.startswith(GROUP):
            _walk(members, each.removeprefix(GROUP), way, done)
    way.pop()
    done.add(group)
