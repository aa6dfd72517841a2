"""A page of ours: for a screen of any size, light or dark, and for paper. It asks for nothing from anywhere.

Owns: its frame, its looks, and the policy that forbids it to load or run anything, whatever may have got into it.
Must not know: what is on it (report_html.py, health_page.py).
"""

import base64
from hashlib import sha256

from admit.report_markup import Markup, join, tag

_STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1b2430; --soft: #5b6675; --line: #dde2e9;
  --allowed: #2f6fd0; --denied: #c2570c; --good: #197a4b; --heat1: #d3e2f8; --heat2: #9cc0f0; --heat3: #5a94e0;
  --heat4: #2460b8; --on-dark: #fff; --nothing: #e7eaef; --hatch: #b3261e; --hatch-ground: #fbe4e1; }
@media (prefers-color-scheme: dark) { :root { --page: #11161d; --card: #19212b; --ink: #e8edf3; --soft: #9fabba;
  --line: #2e3946; --allowed: #6ba2f2; --denied: #f0944d; --good: #5fce97; --heat1: #1e3557; --heat2: #2b5390;
  --heat3: #4580cf; --heat4: #8ab8f7; --on-dark: #0d1520; --nothing: #27313d; --hatch: #ff8a80;
  --hatch-ground: #4a211e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 64px; }
header { margin-bottom: 20px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 0 0 4px; }
p { margin: 0 0 12px; }
.soft, figcaption, .note { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px;
  margin: 16px 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin: 16px 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px 16px; }
.tile b { display: block; font-size: 27px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile.bad b { color: var(--denied); }
.verdict { border-left: 5px solid var(--good); }
.verdict.bad { border-left-color: var(--hatch); }
.verdict ul { margin: 4px 0 0; padding-left: 20px; }
.chart { overflow-x: auto; margin-top: 8px; }
.chart svg { display: block; width: 100%; min-width: 560px; height: auto; }
svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
svg text.strong { fill: var(--ink); }
svg .grid { stroke: var(--line); }
.allowed { fill: var(--allowed); } .denied { fill: var(--denied); } .covered { fill: var(--allowed); }
.nothing { fill: var(--nothing); } .gap { fill: var(--hatch-ground); stroke: var(--hatch); stroke-width: 1.5; }
.heat0 { fill: var(--nothing); } .heat1 { fill: var(--heat1); } .heat2 { fill: var(--heat2); }
.heat3 { fill: var(--heat3); } .heat4 { fill: var(--heat4); }
svg text.on1, svg text.on2 { fill: var(--ink); } svg text.on3, svg text.on4 { fill: var(--on-dark); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0 0; padding: 0; list-style: none;
  color: var(--soft); }
.legend svg { width: 12px; height: 12px; vertical-align: -1px; margin-right: 6px; }
.share { width: 60px; height: 8px; margin-left: 8px; }
table + .note, p + .note, .chart + .note { margin-top: 18px; }
table { width: 100%; border-collapse: collapse; margin-top: 8px; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; white-space: nowrap; }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
td.plain { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font: 12px/1.4 ui-monospace, monospace; color: var(--soft); }
.verdict.some { border-left-color: var(--denied); }
.state { font-size: 13px; font-weight: 600; border: 1px solid var(--line); border-radius: 99px; padding: 1px 10px;
  margin-left: 6px; white-space: nowrap; }
.state.ok { color: var(--good); } .state.warn { color: var(--denied); }
.state.fail, .state.silent { color: var(--hatch); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 290px), 1fr)); gap: 14px 22px; }
figure { margin: 0; } figure svg { display: block; width: 100%; height: auto; }
figcaption { font-size: 13px; } figcaption b { color: var(--ink); }
.line1, .line2 { fill: none; stroke: var(--allowed); stroke-width: 1.8; stroke-linejoin: round; }
.line2 { stroke: var(--denied); stroke-dasharray: 5 3; }
.dot1 { fill: var(--allowed); } .dot2 { fill: var(--denied); }
.silence { fill: var(--hatch-ground); }
.restart { stroke: var(--soft); stroke-dasharray: 2 3; }
details > summary { cursor: pointer; color: var(--soft); margin-top: 8px; }
@media (max-width: 640px) {
  main { padding: 16px 12px 40px; } section { padding: 14px; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .chart::before { content: "swipe for the rest"; color: var(--soft); font-size: 12px; position: sticky; left: 0; }
  thead { display: none; } tr { display: block; padding: 8px 0; border-bottom: 1px solid var(--line); }
  tr:last-child { border-bottom: 0; }
  td, td.plain { display: grid; grid-template-columns: 92px 1fr; gap: 8px; padding: 2px 0; border: 0;
    white-space: normal; }
  td::before { content: attr(data-label); color: var(--soft); font-size: 13px; } td:empty { display: none; }
}
@media print { body { background: #fff; } section, .tile { break-inside: avoid-page; border-color: #bbb; } }
"""


def document(title: str, *content) -> str:
    """The whole page."""
    head = join(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'),
        Markup('<meta name="referrer" content="no-referrer">'),
        tag("title", title),
        Markup(f"<style>{_STYLE}</style>"),
    )
    body = tag("main", *content)
    return Markup(f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>{body}</body>\n</html>\n')


def _policy() -> str:
    digest = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
