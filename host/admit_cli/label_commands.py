"""`admit labels`."""

from pathlib import Path

import rich_click as click

from admit import keyfiles
from admit.connection import Connection
from admit.transport import open_transport
from admit_cli.command import Call, command
from admit_cli.output import confirm, progress, say, warn
from admit_cli.pages import page_option, page_setting
from admit_cli.visiting import run


class Target(click.ParamType):
    """Where labels go: a file or a folder, not standard output, which is no place for a secret."""

    name = "FILE"

    def convert(self, value, param, ctx):
        """The path."""
        if value in ("", "-"):
            self.fail("name a file ending in .pdf or .png, or a folder", param, ctx)
        return Path(value)


@command("admit labels kiosk-1 kiosk-2 -o labels.pdf")
@click.argument("devices", nargs=-1)
@click.option("-o", "--output", type=Target(), required=True, help="A .pdf, one .png, or a folder for a PNG each.")
@click.option("--stock", default="avery-l7160", show_default=True, help="What is printed on: avery-5160, dymo-11354, …")
@click.option("--start", default=1, show_default=True, help="The first free label of a sheet that was begun.")
@click.option("--sealed", "ports", metavar="PORT", multiple=True, help="A sealed label for the factory board at PORT.")
@click.option("--font", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Another TrueType font.")
@page_option
@click.option("--yes", is_flag=True, help="Replace a file that is there.")
def labels(call: Call, devices, output, stock, start, ports, font, page, yes):
    """Print labels of DEVICES (default: all of the site's): their name and key, for phones to scan.

    With a page of the site's own, any phone's camera opens it, at the right kiosk. A sealed label never names a page.

    A sealed label is for a board that belongs to nobody yet: it bears a secret by which a site takes the board in by
    radio, once. The board learns it over its cable, this sheet bears it, and nobody else has it: it cannot be printed
    again, only be replaced by another one.
    """
    from admit_provisioning import label_text
    from admit_provisioning import labels as printing
    from admit_provisioning import stock as stocks

    on, fonts = stocks.load(stock), label_text.load(font)
    page = page_setting(call, page)
    made = [_public(call, row, page) for row in _rows(call, devices, ports)]
    blanks = [printing.SealedLabel(call.site.name, bytes(16)) for _ in ports]
    printing.check(output, [*made, *blanks], on, start, fonts)
    for file in printing.files(output, made):
        if file.exists():
            confirm(f"{file} is there already. Replace it?", yes)
    made += run(_seal(call.site.name, ports))
    files = printing.write(output, made, on, start, fonts)
    call.out.rows(
        "labels", [_told(each) for each in made], ["label", "kind"], "There are no devices to print labels of."
    )
    _tell(made, files, fonts)


def _rows(call: Call, devices, ports) -> list:
    registry = call.site.registry
    return [registry.device(each) for each in devices] if devices or ports else registry.devices()


def _public(call: Call, row, page):
    from admit.codes import DeviceCode
    from admit_provisioning.labels import PublicLabel

    fingerprint = bytes.fromhex(keyfiles.fingerprint(row.public))
    return PublicLabel(call.site.name, DeviceCode(call.site.anchor.site_id, fingerprint, row.id), page)


async def _seal(site_name: str, ports) -> list:
    """Give the board at each port a new secret; their labels."""
    from admit_provisioning.labels import SealedLabel
    from admit_provisioning.sealed import new_secret, seal

    made = []
    for port in ports:
        progress(f"giving the board at {port} its secret")
        secret = new_secret()
        async with Connection(open_transport(port)) as connection:
            await seal(connection, secret)
        made.append(SealedLabel(site_name, secret))
    return made


def _told(label) -> dict:
    """What --json tells of a label: of a public one also what its QR code says, of a sealed one nothing secret."""
    from admit_provisioning.labels import PublicLabel

    if isinstance(label, PublicLabel):
        return {"label": label.name, "kind": "public", "content": "".join(label.content)}
    return {"label": label.name, "kind": "sealed"}


def _tell(made, files, fonts) -> None:
    from admit_provisioning.labels import SealedLabel

    if lacking := fonts.missing(text for each in made for text in each.texts):
        warn(f"the font has no letter for {' '.join(lacking)}: ? stands for it. --font FILE.ttf names another font")
    if any(isinstance(each, SealedLabel) for each in made):
        warn("who reads a sealed label may take its board. Print it now, cover it, and delete the file: it has no copy")
    if made:
        say(f"{len(made)} label{'s' if len(made) > 1 else ''} in {', '.join(map(str, files))}")
