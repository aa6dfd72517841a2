"""`admit backup`, `admit restore`: all of a site in one file, and a site of such a file."""

from pathlib import Path

import rich_click as click

from admit import age_file, keyfiles, restoring
from admit import backup as backups
from admit.site import Site
from admit_cli import passphrase
from admit_cli.command import Call, command
from admit_cli.output import confirm, progress, say
from admit_cli.words import many, utc

_FILE = click.Path(dir_okay=False, path_type=Path)


@command("admit backup -o site.backup")
@click.option("-o", "--output", required=True, type=_FILE, help="The file to write.")
@click.option("--yes", is_flag=True, help="Replace a file of that name without asking.")
def backup(call: Call, output, yes):
    """Write all of the site into one file: its registry, its authority, its wallets.

    The file is encrypted with the passphrase of the site's authority, and is in the format of age: age -d opens it too.
    Whoever has it and the passphrase is the site.
    """
    site = call.site
    _check_output(site, output, yes)
    secret = passphrase.existing(site)
    site.authority(lambda: secret).unlock()  # else nobody would know what opens the file
    progress("reading the site")
    data = backups.make(site, call.now)
    progress("encrypting it")
    keyfiles.write_file(output, age_file.seal(data, secret))
    backups.note(site, call.now, output.name)
    fields = {"file": str(output), "bytes": output.stat().st_size} | _fields(backups.parse(data), site)
    call.out.fields("backup", fields, ["file", "site", "id", "devices", "users", "bytes"])
    say("Keep it on another machine. admit restore makes a site of it; without the passphrase nobody can.")


@command("admit restore site.backup")
@click.argument("file", type=_FILE)
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="The folder to make. Default: your own.")
@click.option("--registry", metavar="URL", help="Where its registry goes from now on. Default: where it was.")
def restore(call: Call, file, into, registry):
    """Make the site that FILE holds, on a machine that has nothing else of it.

    The passphrase is that of the site's authority when the backup was made. What happened after that is not in it:
    devices that have heard of it say so, at admit sync. Let the site be used on one machine only.
    """
    folder = into or call.folder
    data = keyfiles.read_file(file)
    restoring.check_folder(folder)
    age_file.check(data)
    found = backups.parse(age_file.unseal(data, passphrase.of_file(file.name)))
    progress("making the site")
    site = restoring.restore(found, folder, registry)
    tell_restored(call, found, site)


def tell_restored(call: Call, found: backups.Backup, site: Site) -> None:
    """What a site was made of, and what to do next."""
    backups.note(site, found.made_at, "this site was made of it")
    fields = {"folder": str(site.folder)} | _fields(found, site)
    call.out.fields("restored", fields, ["site", "id", "made", "devices", "users", "folder"])
    say(f"This is the site as it was on {backups.day(found.made_at)}. What was said since then has to be said again.")
    if site.registry.devices():
        say("Then visit the devices: admit sync DEVICE. One that knows more than this registry says so.")


def _fields(found: backups.Backup, site: Site) -> dict:
    fields = {"site": found.site, "id": found.site_id.hex(), "made": utc(found.made_at), "files": len(found.files)}
    return fields | {"devices": len(site.registry.devices()), "users": len(site.registry.users())}


def _check_output(site: Site, output: Path, yes: bool) -> None:
    """Whether the file may be written."""
    if not output.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {output.parent}", param_hint="--output")
    if output.resolve().is_relative_to(site.folder.resolve()):
        raise click.BadParameter("a backup inside the site is lost with it", param_hint="--output")
    if output.exists():
        confirm(f"Replace {output}, which has {many(output.stat().st_size, 'byte')}?", yes)
