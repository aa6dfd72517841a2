"""What every command has in common: options, the site that is meant, and how it ends.

Owns: the tree that click sees, made from table.py, and the way from an error to an exit code.
Rules: a command is a function of a `Call` and its own parameters; it prints through `call.out` only. Errors travel as
exceptions up to `CommandLine.main`; no traceback reaches a user who did not ask for it with --debug.
"""

import importlib
import sys
import time
from functools import cached_property

import rich_click as click

from admit_cli import __version__
from admit_cli.output import Output
from admit_cli.table import COMMANDS, GROUPS

_CONTEXT = {"help_option_names": ["-h", "--help"]}


class Call:
    """One run of a command: what its common options said, and what they lead to."""

    def __init__(self, site: str | None, as_json: bool):
        self._site = site
        self.out = Output(as_json)
        self.now = int(time.time())

    @cached_property
    def site(self):
        """The site that is meant: an admit.site.Site. Raises NotFound site-missing."""
        from admit.site import Site

        return Site(self.folder)

    @property
    def folder(self):
        """The folder of that site, whether or not there is one."""
        from admit.site import site_folder

        return site_folder(self._site)

    @cached_property
    def signer(self):
        """The site's authority; its passphrase is asked for when it first signs."""
        from admit_cli.passphrase import existing

        return self.site.authority(lambda: existing(self.site))

    @cached_property
    def zone(self):
        """The time zone, a ZoneInfo, in which this site writes dates and hours."""
        from admit.forms import parse_zone

        return parse_zone(self.site.setting("tz") or "UTC")


class Command(click.RichCommand):
    """A command of the table: its function is called with a Call and its parameters."""

    def __init__(self, *args, example: str, prints_data: bool = True, **more):
        super().__init__(*args, context_settings=_CONTEXT, epilog=f"Example: {example}", **more)
        if prints_data:
            self.params.append(click.Option(["--json", "as_json"], is_flag=True, help="Print data as JSON."))
        self.params += [
            click.Option(["--site"], metavar="FOLDER", help="The site's folder; else ADMIT_SITE, else your own."),
            click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."),
        ]

    def invoke(self, ctx):
        """Call the function."""
        parameters = dict(ctx.params)
        parameters.pop("debug")
        call = Call(parameters.pop("site"), parameters.pop("as_json", False))
        return ctx.invoke(self.callback, call, **parameters)


class Branch(click.RichGroup):
    """The commands whose words begin with `words`, from the table."""

    def __init__(self, words: str, **more):
        super().__init__(context_settings=_CONTEXT, **more)
        self._prefix = f"{words} " if words else ""

    def list_commands(self, ctx):
        """The next word of each, in the table's order."""
        rest = [words.removeprefix(self._prefix) for words in COMMANDS if words.startswith(self._prefix)]
        return list(dict.fromkeys(words if _is_branch(self._prefix + words) else words.split()[0] for words in rest))

    def get_command(self, ctx, name):
        """What help shows of a command: nothing is imported for it."""
        words = self._prefix + name
        if words in GROUPS:
            return Branch(words, name=name, help=GROUPS[words])
        return click.RichCommand(name=name, short_help=COMMANDS[words][1]) if words in COMMANDS else None

    def resolve_command(self, ctx, args):
        """The command itself, which is about to run."""
        if _is_branch(" ".join([self._prefix + args[0], *args[1:2]])):
            args = [" ".join(args[:2]), *args[2:]]
        words = self._prefix + args[0]
        if words not in COMMANDS:
            return super().resolve_command(ctx, args)
        module, _, function = COMMANDS[words][0].partition(":")
        found = getattr(importlib.import_module(module), function)
        return args[0], found, args[1:]


def _is_branch(words: str) -> bool:
    """Do these words name a command of which the first is one already, as in "journal verify"?"""
    return words in COMMANDS and words.split()[0] in COMMANDS and " " in words


class CommandLine(Branch):
    """`admit` itself."""

    def __init__(self):
        super().__init__("", name="admit", help="Let people walk up to a device and be let in.", no_args_is_help=True)
        self.params.append(
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_version,
                help="Show the version.",
            )
        )

    def main(self, args=None, prog_name="admit", standalone_mode=True, **more):  # type: ignore[override]
        """Run a command and exit. Whatever it raises becomes one message, one hint and one exit code."""
        arguments = sys.argv[1:] if args is None else list(args)
        try:
            super().main(arguments, prog_name, standalone_mode=False, **more)
        except Exception as error:
            from admit_cli.hints import report

            if "--debug" in arguments:
                raise
            sys.exit(report(error))


def command(example: str, **more):
    """Decorate the function of a command; `example` ends its help, `prints_data=False` leaves out --json."""
    return click.command(cls=Command, example=example, **more)


def _version(ctx, _parameter, wanted):
    if wanted:
        click.echo(f"admit {__version__}")
        ctx.exit()
