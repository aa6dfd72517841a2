"""`admit role`, `admit group`: names for what may be done, and for who."""

import rich_click as click

from admit import forms, granting, groups
from admit.condition_forms import parse_subject
from admit_cli.command import Call, command
from admit_cli.editing_words import act
from admit_cli.types import ALLOW, ROUTINE, Form
from admit_protocol import rule

MEMBER = Form("USER|group:NAME", parse_subject)


@command("admit role add operator --allow r/open:POST --allow health:GET")
@click.argument("name")
@click.argument("routines", nargs=-1, type=ROUTINE)
@click.option("--allow", multiple=True, type=ALLOW, help="What it allows: r/open:POST, 'r/open:POST{seconds<=10}'.")
@click.option("--replace", is_flag=True, help="If there is such a role: let it allow this instead.")
def role_add(call: Call, name, routines, allow, replace):
    """Give a name to what may be done: ROUTINES, and what --allow says.

    Whoever is granted the role may do it. If it is changed with --replace, so are their grants.
    """
    if not routines and not allow:
        raise click.UsageError("name a routine, or say with --allow what the role allows")
    rules = tuple([*routines, *allow])
    with act(call) as edit:
        granting.put_role(edit, name, rules, replace)
    call.out.fields("role", _role_fields(name, rules), ["role", "allows"])


@command("admit role list")
def role_list(call: Call):
    """List roles, and what each allows."""
    rows = [_role_fields(name, rules) for name, rules in call.site.registry.roles().items()]
    call.out.rows("roles", rows, ["role", "allows"], "There are no roles.")


@command("admit role remove operator")
@click.argument("name")
def role_remove(call: Call, name):
    """Forget a role by which nothing is granted any more."""
    with act(call) as edit:
        granting.remove_role(edit, name)
    call.out.fields("removed", {"role": name})


@command("admit group add night-shift alice bob")
@click.argument("name")
@click.argument("members", nargs=-1, type=MEMBER)
def group_add(call: Call, name, members):
    """Put MEMBERS into a group, which is made if there is none. A member may be a group, too: group:day-shift.

    Whatever the group was granted, they get.
    """
    with act(call) as edit:
        granting.add_members(edit, name, members)
    call.out.fields("group", _group_fields(call.site.registry.groups(), name), ["group", "members"])


@command("admit group list")
def group_list(call: Call):
    """List groups, their members, and how many people that is in all."""
    found = call.site.registry.groups()
    rows = [_group_fields(found, name) for name in found]
    call.out.rows("groups", rows, ["group", "members", "people"], "There are no groups.")


@command("admit group remove night-shift bob")
@click.argument("name")
@click.argument("members", nargs=-1, type=MEMBER)
def group_remove(call: Call, name, members):
    """Take MEMBERS out of a group: what they had as its members is taken back. Without MEMBERS, forget the group."""
    with act(call) as edit:
        if members:
            granting.remove_members(edit, name, members)
        else:
            granting.remove_group(edit, name)
    found = call.site.registry.groups()
    call.out.fields("group", _group_fields(found, name) if members else {"group": name, "members": [], "people": 0})


def _role_fields(name: str, rules) -> dict:
    return {"role": name, "allows": [forms.rule_text(rule.Rule(*each)) for each in rules]}


def _group_fields(found: dict[str, list[str]], name: str) -> dict:
    members = [each.removeprefix(groups.USER) for each in found[name]]
    return {"group": name, "members": members, "people": len(groups.people(found, name))}
