"""tools/retell: a page of commands gets the output that they really have, and --check finds what is not so any more."""

import subprocess
import sys

from imports import ROOT

PAGE = """# A page

<!-- $ export NAME=Ada -->
<!-- & heard.txt ready bash -c 'echo waiting; sleep 0.1; echo ready; sleep 60' -->

    $ echo "hello $NAME"
    an old line
    $ cd / && cat "$HOME/nothing" 2>/dev/null
    [exit 1]
    $ grep -c ready heard.txt

Text stays.

<!-- > Who :: echo Bob -->

    $ read -p 'Who? ' who && echo "it is $who"
"""


def retell(file, *words):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/retell"), str(file), *words], capture_output=True, text=True, timeout=60
    )


def test_a_page_says_what_its_commands_print(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    ended = retell(page)
    assert ended.returncode == 0, ended.stderr
    shown = page.read_text()
    assert "    hello Ada\n" in shown and "an old line" not in shown
    assert "2>/dev/null\n    [exit 1]\n    $ grep -c ready heard.txt\n    1\n\nText stays.\n" in shown
    assert "it is Bob" in shown and PAGE.splitlines()[2:4] == shown.splitlines()[2:4]
    again = retell(page)
    assert again.returncode == 0 and page.read_text() == shown


def test_check_writes_nothing_and_names_a_command_that_ends_otherwise(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("    $ echo told && exit 3\n    [exit 4]\n")
    ended = retell(page, "--check")
    assert ended.returncode == 1 and "exit code 3, not 4" in ended.stderr and "told" in ended.stderr
    assert page.read_text().endswith("[exit 4]\n")


def test_a_background_program_that_ends_too_early_is_told(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- & out.txt ready false -->\n    $ true\n")
    ended = retell(page)
    assert ended.returncode == 1 and "false:" in ended.stderr
