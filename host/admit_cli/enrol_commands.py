"""`admit enrol`, `admit pair`: a wallet is let in at a device: by an invite, or by an admin beside it."""

import os
import sys
from pathlib import Path

import rich_click as click

from admit import enrolling, keyfiles, links, wallet
from admit.codes import DeviceCode
from admit.enrolling import Newcomer
from admit.invites import Link
from admit.sharing import Wish
from admit.site import user_config
from admit.wallet import Wallet
from admit_cli.asking import ask_line
from admit_cli.command import Call, command
from admit_cli.hints import cause
from admit_cli.output import progress, say
from admit_cli.types import ALLOW, ROUTINE, parse_date
from admit_cli.visiting import as_user, go, run, transport_to, via, wallet_of
from admit_cli.wallet_commands import own_zone
from admit_cli.words import access_fields
from admit_protocol.errors import Denied, LocalError, Malformed, NotFound

_YEAR_S = 365 * 86400
_TRIES = 3
_SHOWN = ["site", "site_id", "on", "allows", "from", "until"]


@command("admit enrol link.txt --wallet ~/.admit/wallet")
@click.argument("source", metavar="[FILE]", required=False)
@click.option("--pair", "place", metavar="DEVICE", help="No invite: ask an admin at DEVICE, or at a label's ADMIT:D/….")
@click.option("--name", metavar="NAME", help="What you are called. Default: as the invite says; needed with --pair.")
@click.option(
    "--wallet", "folder", type=click.Path(file_okay=False, path_type=Path), help="Its folder. Default: ADMIT_WALLET."
)
@via
def enrol(call: Call, source, place, name, folder, link_via):
    """Be let in at a device by an invite: the link in FILE, '-' for standard input, or typed when asked for.

    The link holds a secret, so it is never an argument. A wallet that is not there yet is made, with new keys. Whatever
    breaks off, the same link finishes it; it is used up by one wallet.
    """
    if place and source:
        raise click.UsageError("give an invite, or --pair, not both")
    if place and not name:
        raise click.UsageError("say with --name who asks")
    if place:
        where = _place(place)
        given, anchor = run(_be_paired(_wallet(folder, is_new=len(where) > 1), where, name, link_via))
    else:
        link = _link(source)
        given, anchor = run(_redeem(_wallet(folder, is_new=True), link, name, link_via))
    fields = access_fields(given.subject, given.audience, given.rules, (given.not_before, given.expires), own_zone())
    fields = {"site": anchor.name, "site_id": anchor.site_id.hex(), "grant": given.id.hex()} | fields
    call.out.fields("enrolled", fields, _SHOWN)


def _wallet(folder: Path | None, is_new: bool) -> Wallet:
    """The wallet that is meant; one that is not there yet is made if it may be new."""
    named = folder or os.environ.get("ADMIT_WALLET") or user_config().get("wallet")
    if not named:
        raise click.UsageError("say with --wallet which folder your keys are in, or shall be made in")
    path = Path(named).expanduser()
    if (path / "public.pem").is_file() or not is_new:
        return Wallet(path)
    made = wallet.create(path)
    say(f"Made your keys in {path}.")
    return made


def _place(text: str) -> tuple:
    """(device,) of a device's name; (device, site id, fingerprint) of what its public label says."""
    if not links.is_link(text):
        return (text,)
    label = links.parse(text)
    if not isinstance(label, DeviceCode):
        raise Malformed("label-code", "that is no public label")
    return label.device_id, label.site_id, label.fingerprint


def _link(source: str | None) -> Link:
    """The invite link, from wherever it may come from."""
    if source and links.is_link(source):
        raise click.UsageError("a link holds a secret, and others can read arguments: give it in a file, or on stdin")
    if source and source != "-":
        return _invite(keyfiles.read_file(Path(source)).decode(errors="replace"))
    if source is None and sys.stdin.isatty():
        return _invite(click.prompt("Invite link", hide_input=True, err=True))
    text = sys.stdin.readline()
    if not text.strip():
        raise LocalError("answer-missing", "the invite link is needed, and nothing was given")
    return _invite(text)


def _invite(text: str) -> Link:
    """The invite in a link, a page before it or not. Raises Malformed invite-link, or what links.parse does."""
    link = links.parse(text)
    if not isinstance(link, Link):
        raise Malformed("invite-link", "that is no invite link, or not the whole of one")
    return link


async def _redeem(owner: Wallet, link: Link, name: str | None, link_via: str | None):
    device = enrolling.device_of(link)
    progress(f"finding {device}")
    async with enrolling.arrive(transport_to(link_via, device), owner, device, link.site_id) as (session, anchor):
        progress("redeeming the invite")
        return await enrolling.redeem(session, anchor, owner, link, name), anchor


async def _be_paired(owner: Wallet, where: tuple, name: str, link_via: str | None):
    device = where[0]
    progress(f"finding {device}")
    async with enrolling.arrive(transport_to(link_via, device), owner, *where) as (session, anchor):
        code = await enrolling.ask(session, owner, name)
        say(f"Show this code to the admin beside you: {code}")
        progress("waiting for the admin: admit pair " + device)
        return await enrolling.wait(session, anchor, owner), anchor


@command("admit pair kiosk-1 open --as admin")
@click.argument("device")
@click.argument("routines", nargs=-1, type=ROUTINE)
@click.option("--allow", multiple=True, type=ALLOW, help="What else to pass on: 'r/*:GET', 'r/open:POST{seconds<=10}'.")
@click.option("--role", metavar="ROLE", help="Pass on what this role of the site may do.")
@click.option("--who", metavar="FINGERPRINT", help="Whom, if several ask; the first digits will do.")
@click.option("--until", metavar="DATE", help="The last day, or moment. Default: in a year.")
@as_user
@via
def pair(call: Call, device, routines, allow, role, who, until, user, link_via):
    """Let somebody's phone in at DEVICE, beside whom you stand: they show a code, you type it.

    They get a part of your own grant, which must be one that may be passed on, and which ends when yours does.
    """
    rules = [*routines, *allow, *(_rules_of_role(call, role) if role else ())]
    if not rules:
        raise click.UsageError("name a routine, or say with --allow or --role what to pass on")
    zone = own_zone()
    expires = call.now + _YEAR_S if until is None else parse_date(until, zone, "--until", last=True)
    owner = wallet_of(call, user)
    if until is None:
        expires = min([each.expires for each in owner.grants_for(device, call.now) if each.expires] + [expires])
    newcomer, given = run(_pair(owner, device, rules, expires, who, link_via))
    fields = access_fields(newcomer.name, given.audience, given.rules, (given.not_before, given.expires), zone)
    fields = {"fingerprint": newcomer.fingerprint, "grant": given.id.hex()} | fields
    call.out.fields("paired", fields, ["user", "fingerprint", "on", "allows", "until"])


def _rules_of_role(call: Call, role: str):
    roles = call.site.registry.roles()
    if role not in roles:
        raise NotFound("registry-no-role", f"there is no role {role}")
    return [tuple(each) for each in roles[role]]


async def _pair(owner: Wallet, device: str, rules, expires: int, who: str | None, link: str | None):
    async with go(owner, device, link) as session:
        progress("asking who waits")
        newcomer = _chosen(await enrolling.newcomers(session), who)
        say(f"{newcomer.name} asks to be let in; the key is {newcomer.fingerprint}")
        wish = Wish(newcomer.name, (newcomer.key, newcomer.sig_key), rules, [device], expires=expires)
        for left in reversed(range(_TRIES)):
            code = await ask_line(f"The code that {newcomer.name}'s phone shows")
            try:
                return newcomer, await enrolling.pair(session, owner, device, newcomer, code, wish)
            except Denied as denied:
                if denied.reason != "code-wrong" or not left or not sys.stdin.isatty():
                    raise
                say(cause(denied))
    raise AssertionError


def _chosen(waiting: list[Newcomer], who: str | None) -> Newcomer:
    """The one newcomer that is meant. Raises NotFound enrol-nobody."""
    found = [each for each in waiting if not who or each.fingerprint.startswith(who) or each.name == who]
    if not found:
        words = f"{who} does not ask to be let in there" if waiting else "nobody asks to be let in"
        raise NotFound("enrol-nobody", words)
    if len(found) > 1:
        listed = ", ".join(f"{each.name} ({each.fingerprint})" for each in found)
        raise click.UsageError(f"several ask: {listed}; say with --who whom you mean")
    return found[0]
