"""`admit recovery create`, `admit recovery restore`: the authority in shares, and back."""

import sys
from pathlib import Path

import rich_click as click

from admit import age_file, keyfiles, recovery, restoring, shares
from admit import backup as backups
from admit.site import Site
from admit_cli import passphrase
from admit_cli.backup_commands import tell_restored
from admit_cli.command import Call, command
from admit_cli.output import ask_shown, confirm, progress, say, show_in_turn, warn
from admit_protocol.errors import LocalError, NotFound

_FILE = click.Path(dir_okay=False, path_type=Path)
_COLUMNS = 4  # of words on the terminal
_WIDEST = 8  # letters of a word


@command("admit recovery create --shares 5 --threshold 3")
@click.option(
    "--shares", "count", type=click.IntRange(2, shares.MAX_SHARES), required=True, help="For how many people."
)
@click.option("--threshold", type=click.IntRange(2, shares.MAX_SHARES), required=True, help="How many are enough.")
@click.option(
    "-o", "--output", multiple=True, type=_FILE, help="A file for a share; once for each. Default: they are shown."
)
@click.option("--yes", is_flag=True, help="Make new shares in the place of earlier ones without asking.")
def create(call: Call, count, threshold, output, yes):
    """Split what opens the authority among people: any THRESHOLD of them can open it again, fewer know nothing.

    Each share is 20 words (SLIP-39), and is shown this once. What they open is the file recovery.age in the site's
    folder: put copies of it where the backups are. It is worth nothing without the shares.
    """
    if threshold > count:
        raise click.BadParameter(f"there are only {count} shares", param_hint="--threshold")
    _check_outputs(call, output, count)
    file = call.site.folder / recovery.FILE
    if file.exists():
        confirm("There are shares already; they open only copies of the earlier recovery.age. Make new ones?", yes)
    data, words = recovery.create(call.site, passphrase.existing(call.site), count, threshold)
    if output:
        for path, share in zip(output, words, strict=True):
            keyfiles.write_file(path, f"{share}\n".encode())
    else:
        show_in_turn([_page(number, count, threshold, each) for number, each in enumerate(words, 1)], _WRITTEN)
    keyfiles.write_file(file, data)  # last: until somebody has all new shares, the earlier ones are good
    who = call.site.setting("user") or "admin"
    call.site.registry.note(call.now, who, "recovery create", f"{count} shares, any {threshold} of them")
    fields = {"file": str(file), "shares": count, "threshold": threshold, "outputs": [str(path) for path in output]}
    call.out.fields("recovery", fields, ["file", "shares", "threshold", "outputs"])
    say(f"Put a copy of {file} where the backups are, not where the shares are.")


_WRITTEN = "Write it down, compare it word by word, then press Enter: it will not be shown again."


def _check_outputs(call: Call, output: tuple[Path, ...], count: int) -> None:
    if output and len(set(output)) != count:
        raise click.UsageError(f"{count} shares take {count} files: give -o once for each")
    for path in output:
        if path.exists():
            raise click.BadParameter(f"{path} is there already", param_hint="--output")
    if not output and (call.out.as_json or not sys.stdout.isatty() or not sys.stdin.isatty()):
        raise click.UsageError("the shares are secrets: run it on a terminal, or give -o FILE for each of them")


def _page(number: int, count: int, threshold: int, share: str) -> list[str]:
    """A share as it is shown: its words with their numbers, so that a wrong one can be named."""
    words = [f"{place:2} {word:{_WIDEST}}" for place, word in enumerate(share.split(), 1)]
    rows = ["   ".join(words[at : at + _COLUMNS]).rstrip() for at in range(0, len(words), _COLUMNS)]
    return [
        f"Share {number} of {count}; any {threshold} of them open the authority. For one person only:",
        "",
        *rows,
        "",
    ]


@command("admit recovery restore recovery.age")
@click.argument("file", type=_FILE, required=False)
@click.option(
    "--backup", "of_site", type=_FILE, help="Make the site of this backup first: its passphrase comes back too."
)
@click.option("--registry", metavar="URL", help="With --backup: where its registry goes. Default: where it was.")
def restore(call: Call, file, of_site, registry):
    """Open the authority again with enough shares, and give it a new passphrase.

    FILE is the recovery file; without it, recovery.age in the site's folder. The shares are asked for, one by one; off
    a terminal they are lines of standard input. They stay good: recovery.age is written anew, so copy it again.
    """
    if registry and not of_site:
        raise click.UsageError("--registry goes with --backup")
    data = keyfiles.read_file(file or call.site.folder / recovery.FILE)
    age_file.check(data)  # before people type their shares
    if of_site:
        restoring.check_folder(call.folder)
        sealed = keyfiles.read_file(of_site)
        age_file.check(sealed)
    elif not (call.folder / "site.toml").is_file():
        raise NotFound("recovery-no-site", f"no site in {call.folder}")
    secret = shares.combine(_ask_shares())
    found = recovery.open_file(data, secret)

    def give_back(site: Site) -> None:
        recovery.check_site(site, found)
        chosen = passphrase.new()
        recovery.put_back(site, found, secret, chosen)
        if site.setting("keyring") == "yes":
            passphrase.remember(site, chosen)  # or it would go on offering the one of before

    if of_site:
        backup = backups.parse(age_file.unseal(sealed, found.passphrase))
        tell_restored(call, backup, restoring.restore(backup, call.folder, registry, give_back))
    else:
        give_back(call.site)
        fields = {"site": call.site.name, "id": call.site.anchor.site_id.hex(), "folder": str(call.folder)}
        call.out.fields("recovered", fields)
    say(f"The authority has a new passphrase. Put a new copy of {call.folder / recovery.FILE} where the backups are,")
    say("and make a backup now: earlier ones open with the passphrase of before, or by shares and its old copy.")


def _ask_shares() -> list[str]:
    """As many shares as are needed: on a terminal each is asked for until it is right; else the first error ends it."""
    known: list = []
    words: list[str] = []
    while not known or len(known) < known[0].member_threshold:
        text = _ask_share(len(known) + 1, known[0].member_threshold if known else None)
        if text is None:
            break
        try:
            known.append(shares.parse(text, known))
            words.append(text)
        except LocalError as error:
            if not sys.stdin.isatty():
                raise
            warn(f"{error.detail} ({error.reason})")
    return words


def _ask_share(number: int, needed: int | None) -> str | None:
    """A share; None at the end of standard input."""
    if not sys.stdin.isatty():
        progress("reading shares")
        return sys.stdin.readline() or None
    return ask_shown(f"Share {number}" + (f" of {needed}" if needed else ""))
