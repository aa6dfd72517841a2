"""`admit recovery key`, `admit recovery keys`: who may take a site's devices over once nobody can sign for it."""

from pathlib import Path

import rich_click as click

from admit import keyfiles, takeovers
from admit.condition_forms import parse_duration
from admit_cli import passphrase
from admit_cli.command import Call, command
from admit_cli.output import confirm, say
from admit_cli.types import Form
from admit_cli.words import hours
from admit_protocol import takeover
from admit_protocol.errors import Conflict, Malformed, NotFound

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
_WEEK_S = 7 * 86400


@command("admit recovery key ada.pem")
@click.argument("file", type=_NEW_FILE)
def key(call: Call, file):
    """Make a recovery key, on its holder's own machine: FILE, encrypted, for the holder; FILE.pub for the admin.

    Somebody with such a key signs, with others, that devices go to another site, once the authority of theirs is gone.
    """
    public_file = file.with_suffix(".pub")
    for each in (file, public_file):
        if each.exists():
            raise Conflict("file-exists", f"{each} exists already")
    public = keyfiles.make_private_file(file, passphrase.new("Passphrase for the recovery key"))
    keyfiles.write_file(public_file, keyfiles.public_pem(public).encode(), secret=False)
    fields = {"file": str(file), "public": str(public_file), "fingerprint": keyfiles.fingerprint(public)}
    call.out.fields("key", fields)
    say(f"{public_file} is for the admin, {file} for you alone: keep it where a fire at the site does not reach it.")


@command("admit recovery keys --threshold 2 ada.pub bo.pub cy.pub")
@click.argument("publics", nargs=-1, type=_FILE, metavar="FILE.pub…")
@click.option("--threshold", type=click.IntRange(takeover.MIN_THRESHOLD, takeover.MAX_KEYS), help="How many.")
@click.option(
    "--delay",
    type=Form("DURATION", parse_duration),
    help="How long devices wait, under power, and show it. Default: 7d.",
)
@click.option("-o", "--output", type=_NEW_FILE, help="The file for the holders. Default: recovery-keys.cbor.")
@click.option("--yes", is_flag=True, help="Replace earlier recovery keys without asking.")
def keys(call: Call, publics, threshold, delay, output, yes):
    """Say whose recovery keys count: any THRESHOLD of these holders may bring the site's devices to another site.

    Such a takeover waits for days at each device, which shows it to everybody; one admin's veto ends it. Devices hear
    of the keys by admit sync. Without FILEs: show which count.
    """
    if not publics:
        _show(call, _of_site(call), None)
        return
    if threshold is None:
        raise click.UsageError("say with --threshold how many of them must sign")
    if threshold > len(publics):
        raise click.BadParameter(f"there are only {len(publics)} keys", param_hint="--threshold")
    found = [_public_in(file) for file in publics]
    if call.site.registry.recovery_policy():
        confirm("Other recovery keys count already; they end where a device hears of these. Replace them?", yes)
    made = takeovers.set_keys(call.site, call.signer, found, threshold, delay or _WEEK_S, call.now)
    output = output or Path("recovery-keys.cbor")
    keyfiles.write_file(output, made.encode(), secret=False)
    _show(call, made, output)
    say(f"Give each holder a copy of {output}; nothing in it is secret. The devices hear of it by: admit sync")


def _show(call: Call, recovery: takeovers.Recovery, file: Path | None) -> None:
    policy = recovery.policy
    held = len(call.site.registry.devices()) - len(call.site.registry.recovery_waiting())
    fields = {"number": policy.number, "keys": [each[:8].hex() for each in policy.keys], "threshold": policy.threshold}
    fields |= {"delay": hours(policy.delay_s), "devices": held, "file": str(file) if file else None}
    call.out.fields("recovery_keys", fields)


def _of_site(call: Call) -> takeovers.Recovery:
    row = call.site.registry.recovery_policy()
    if row is None:
        raise NotFound("recovery-keys-none", "no recovery keys count for this site")
    return takeovers.Recovery(call.site.anchor, row.data)


def _public_in(file: Path) -> bytes:
    found = keyfiles.parse_public_pem(keyfiles.read_file(file).decode(errors="replace"))
    if len(found) != 1:
        raise Malformed("key-file", f"{file} holds {len(found)} keys: a wallet's are no recovery key")
    return found[0]
