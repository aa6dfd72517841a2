"""`admit release build`, `admit release inspect`: what devices can be updated to."""

from pathlib import Path

import rich_click as click

from admit import releases
from admit.releases import Release
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.types import parse_date
from admit_cli.visiting import wallet_of
from admit_cli.words import utc
from admit_protocol.anchor import Anchor
from admit_protocol.errors import NotFound

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@command("admit release build --version 1.4.0 -o release.admit")
@click.option("--version", required=True, help="What it is called: 1.4.0. Never the same for something else.")
@click.option("--board", "names", multiple=True, help="For which kinds of board. Default: those of the site's devices.")
@click.option("--routines", type=FILE, help="The site's routines file. Default: the one that comes with admit.")
@click.option("--image", type=FILE, help="MicroPython's own image, for boards with OTA partitions: it comes along.")
@click.option("--floor", metavar="VERSION", help="No device goes back to less than VERSION afterwards, ever.")
@click.option("--until", metavar="DATE", help="No device takes it after that. Default: a year from now.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file.")
def build(call: Call, version, names, routines, image, floor, until, output):
    """Make a release of the firmware that comes with this admit and the site's routines, signed by the authority.

    The same version of the same files is the same file, byte for byte, whenever it is built. With --image boards take
    MicroPython and files together, or neither: a .bin or .app-bin from MicroPython's download page.
    """
    from admit import releasing
    from admit_provisioning import fleet

    names = names or _kinds(call)
    program = fleet.program(names, image) if image else None
    kind, made = fleet.common(names, routines)
    expires = parse_date(until, call.zone, "--until", last=True) if until else None
    wish = releasing.Wish(version, names, kind.port, fleet.BYTECODE, floor, expires, program)
    built = releasing.build(call.site.registry, call.signer, wish, made.files, call.now)
    output.write_bytes(built.encode())
    say(f"Wrote {output}. To bring it to devices: admit update 'kiosk-*' {output} --rollout 1,10%,100%")
    _tell(call, built, output)


@command("admit release inspect release.admit")
@click.argument("file", type=FILE)
def inspect(call: Call, file):
    """Prove a release, all of it, and show what it is."""
    _tell(call, releases.load(file, anchor_of(call)), file)


def anchor_of(call: Call) -> Anchor:
    """Whom this machine trusts: its site, or the one of its wallet."""
    try:
        return call.site.anchor
    except NotFound:
        return wallet_of(call, None).anchor


def _kinds(call: Call) -> list[str]:
    found = sorted({row.board for row in call.site.registry.boards() if row.device_id and row.board})
    if not found:
        raise click.UsageError("For which kinds of board? No device of the site says: give --board.")
    return found


def _tell(call: Call, built: Release, file: Path) -> None:
    told = built.manifest
    fields = {"version": told.version, "sequence": told.sequence, "floor": told.floor, "boards": list(told.boards)}
    fields |= {"port": told.port, "bytecode": told.bytecode, "issued": utc(told.issued_at), "until": utc(told.expires)}
    fields |= {"set_hash": told.set_hash, "files": len(built.rows), "bytes": told.total, "room": told.room}
    size, digest = told.image or (None, None)
    fields |= {"image_bytes": size, "image_sha256": digest}
    fields |= {"compressed": sum(map(len, built.blobs.values())), "length": file.stat().st_size}
    listed = [{"name": name, "bytes": size, "sha256": digest} for name, size, digest in built.rows]
    shown = [key for key in fields if key not in ("length", "room") and fields[key] is not None]
    call.out.fields("release", fields | {"list": listed}, shown)
