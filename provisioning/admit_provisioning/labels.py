"""Labels: the public one that anyone may scan, and the sealed one that takes a factory board into a site by radio.

    labels.write(Path("labels.pdf"), [PublicLabel(...)], stock.load("avery-l7160"), 1, label_text.load())

Rules: a file appears whole or not at all, and for its owner alone if a secret is on it. Nothing here is kept: a sealed
label cannot be printed again, because nobody has its secret any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from admit.codes import DeviceCode, sealed_content, sealed_text
from admit.keyfiles import write_file
from admit.links import parts_on_page
from admit_protocol import label
from admit_protocol.errors import LocalError
from admit_provisioning import label_ink, label_layout, label_text
from admit_provisioning.stock import Stock


@dataclass(frozen=True)
class PublicLabel:
    """The label of a device of the site; its QR code opens the site's own `page`, if there is one."""

    site_name: str
    code: DeviceCode
    page: str | None = None

    @property
    def name(self) -> str:
        """What its file is called in a folder."""
        return self.code.device_id

    @property
    def content(self) -> list[str]:
        """What its QR code says, in parts. Raises LocalError page-url."""
        return parts_on_page(self.page, self.code.text())

    @property
    def texts(self) -> tuple[str, ...]:
        """What names it shows."""
        return self.site_name, self.code.device_id

    def marks(self, stock: Stock, fonts: label_text.Fonts) -> list[label_layout.Mark]:
        """What stands where."""
        shown = self.site_name, self.code.device_id, self.code.fingerprint.hex()
        return label_layout.public(stock, fonts, *shown, self.content)


@dataclass(frozen=True)
class SealedLabel:
    """The sealed label of a factory board that has got this secret."""

    site_name: str
    secret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """What its file is called in a folder, and its board on the air."""
        return label.advertised_name(self.secret)

    @property
    def texts(self) -> tuple[str, ...]:
        """What names it shows."""
        return (self.site_name,)

    def marks(self, stock: Stock, fonts: label_text.Fonts) -> list[label_layout.Mark]:
        """What stands where."""
        codes = sealed_text(self.secret), sealed_content(self.secret)
        return label_layout.sealed(stock, fonts, self.site_name, self.name, *codes)


Label = PublicLabel | SealedLabel


def check(target: Path, labels: Sequence[Label], stock: Stock, start: int, fonts: label_text.Fonts) -> None:
    """Raise LocalError label-target, label-start, label-too-small unless these labels can be written there."""
    suffix = target.suffix.lower()
    if not is_folder(target) and suffix not in (".pdf", ".png"):
        raise LocalError("label-target", f"{target} is neither a folder nor a file ending in .pdf or .png")
    if not is_folder(target) and suffix == ".png" and len(labels) > 1:
        raise LocalError("label-target", f"one PNG holds one label, and there are {len(labels)}: name a folder")
    if not 1 <= start <= stock.on_a_page:
        raise LocalError("label-start", f"a page of {stock.name} has the places 1 to {stock.on_a_page}")
    for each in labels:
        marks = each.marks(stock, fonts)
        if is_folder(target) or suffix == ".png":
            label_ink.png(marks, stock)


def is_folder(target: Path) -> bool:
    """Whether the labels become one PNG each in a folder: one that is there, or a name without a suffix."""
    return target.is_dir() or not target.suffix


def files(target: Path, labels: Sequence[Label]) -> list[Path]:
    """The files that these labels become."""
    return [target / f"{each.name}.png" for each in labels] if is_folder(target) else [target]


def write(target: Path, labels: Sequence[Label], stock: Stock, start: int, fonts: label_text.Fonts) -> list[Path]:
    """Write labels that passed `check`: PDF sheets, one PNG, or into a folder one PNG each. Returns the files."""
    if not labels:
        return []
    drawn = [each.marks(stock, fonts) for each in labels]
    secret = any(isinstance(each, SealedLabel) for each in labels)
    if is_folder(target):
        target.mkdir(parents=True, exist_ok=True)
    if target.suffix.lower() == ".pdf" and not is_folder(target):
        contents = [label_ink.pdf(drawn, stock, start)]
    else:
        contents = [label_ink.png(marks, stock) for marks in drawn]
    for file, content in zip(files(target, labels), contents, strict=True):
        write_file(file, content, secret=secret)
    return files(target, labels)
