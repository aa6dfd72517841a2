"""Pictures of the page: every view at the sizes of a phone and of a desk, light and dark, is written to
.cache/screenshots for people to look at; nothing is wider than the screen, not even a small one, and axe finds nothing
to complain of.

Rules: axe looks at the whole of a view once, on the smallest screen, where all is nearest to each other; of the other
scheme at what depends on it, the contrasts.
"""

import subprocess
from functools import cache
from pathlib import Path

from browser.harness import DESKTOP, PHONE, SMALL
from imports import ROOT

SHOTS = ROOT / ".cache/screenshots"
LOOKS = [(size, scheme) for size in (PHONE, DESKTOP) for scheme in ("light", "dark")] + [(SMALL, "dark")]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EXAMINED = {(PHONE, "light"): ["color-contrast"], (SMALL, "dark"): RULES}  # by axe, for what


@cache
def axe() -> str:
    """The text of axe-core."""
    tool = subprocess.run([ROOT / "tools/phone-tools"], check=True, capture_output=True, text=True)
    return (Path(tool.stdout.strip()) / "axe-core/axe.min.js").read_text()


class Album:
    """Pictures of the views that somebody sees, each checked as it is taken."""

    def __init__(self, person):
        self.person = person

    async def takes(self, name: str) -> None:
        """Look at what is on the page now, in every size and light; then leave it as it was."""
        page, phone = self.person.page, self.person.phone
        SHOTS.mkdir(parents=True, exist_ok=True)
        for (width, height), scheme in LOOKS:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.set_viewport_size({"width": width, "height": height})
            (SHOTS / f"{name}-{width}-{scheme}.png").write_bytes(await phone.picture())
            wide = await phone.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (name, width)
            if rules := EXAMINED.get(((width, height), scheme)):
                assert await self.complaints(rules) == [], (name, width, scheme)
        assert await page.get_by_role("heading", level=1).count() == 1, name
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size(dict(zip(("width", "height"), PHONE, strict=True)))

    async def complaints(self, rules: list[str]) -> list[str]:
        """What axe has against the page, by these rules."""
        run = self.person.phone.run
        if not await run("'axe' in window"):
            await run(axe())
        found = await run(f"axe.run(document, {{ runOnly: {rules} }}).then((told) => told.violations)")
        return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]
