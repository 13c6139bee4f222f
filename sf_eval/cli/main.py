"""`sf-eval`: finds the verb, prints a user's mistake as one line, leaves defects their traceback.

Exit codes: 0 everything asked for was done; 1 the work ended but something in it failed; 2 a mistake in the
command, the data or the checkpoint; 130 interrupted.
"""

from __future__ import annotations

import atexit
import errno
import importlib
import io
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

from sf_eval import __version__
from sf_eval.core.errors import SfEvalError, UsageError, nearest

VERBS = {
    "run": "evaluate a model on benchmarks; leaderboard and FLOPs/latency report",
    "look": "where the slow path looked: attention over slow tokens, into a run's folder",
    "view": "a page of a run or a comparison that shows what was shown",
    "compare": "is one run better than others? from runs that exist",
    "leaderboard": "one table of all runs below directories, and the published ones",
    "export": "a run in a format that others read",
    "score": "judge a run's answers anew, without its weights and videos",
    "profile": "what a model costs: FLOPs, memory, latency, and how they grow",
    "verify": "compare this installation with recorded outputs of the published code",
    "doctor": "check data, disk, memory and libraries before a long run",
    "data": "download and unpack benchmark data",
    "mini": "train the embedded mini models anew",
    "attach": "a slow path on other people's models: train one, see what it learns",
    "ls": "list models or tasks",
    "tasks": "where the lmms-eval task files are",
}


_NOBODY_READS = 141  # as a shell calls a process that SIGPIPE ended
_OF_THE_MACHINE = {
    errno.EACCES: "Name another place, or make this one readable and writable.",
    errno.EPERM: "Name another place, or make this one readable and writable.",
    errno.EROFS: "Name another place: this file system is read-only.",
    errno.ENOSPC: "Free some space, and run the same command again.",
    errno.EDQUOT: "Free some space, and run the same command again.",
}
"""What the system refuses on any path, wherever it is met, is no defect of ours; and what to do about it."""
_OF_A_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""Met in the midst of writing, where no path is told. A right that was refused on no path is no such case."""


class _LazyGroup(click.Group):
    """Loads `sf_eval.cli.<verb>` only when that verb is called, so that `--help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command = importlib.import_module(f"sf_eval.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise UsageError(f"there is no verb {args[0]!r}.", hint=nearest(args[0], VERBS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=_LazyGroup,
    epilog="First look, no GPU and no download:  sf-eval run --model mini --data mini --tasks videomme,mlvu",
)
@click.version_option(__version__, prog_name="sf-eval")
def cli() -> None:
    """Evaluate and profile the slow-fast video MLLM."""


def main() -> NoReturn:
    """Entry point of the `sf-eval` command."""
    _never_fail_to_print()
    ending = _Ending()
    atexit.register(ending)  # before all others, so that it runs after them
    ending.code = _run(sys.argv[1:])
    sys.exit(ending.code)


class _Ending:
    """The last thing to run, once all that asked for it was cleaned up: ends the process there.

    Python would go on to take apart all that torch and lmms-eval imported: for seconds, Ctrl-C or not.

    Attributes:
        code: the exit code; None after a defect, which ends as Python ends it.
    """

    code: int | None = None

    def __call__(self) -> None:
        if self.code is None:
            return
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:
                self.code = self.code or _NOBODY_READS
            except OSError as error:  # its disk is full
                with suppress(OSError):
                    os.write(2, f"sf-eval: error: not all that was printed is written: {error}.\n".encode())
                self.code = self.code or 1
            except ValueError:  # it is closed
                self.code = self.code or 1
        os._exit(self.code)


def _never_fail_to_print() -> None:
    """A terminal or pipe that is not UTF-8 shows `?` for what it lacks; no run ends in an encoding error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def _run(args: list[str]) -> int:
    try:
        code = cli.main(args, prog_name="sf-eval", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return 0
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except SfEvalError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted.", 130)
    except BrokenPipeError:
        sys.stderr.close()
        return _NOBODY_READS
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE or (
            error.filename is None and error.errno not in _OF_A_FULL_DISK
        ):
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        return _complain(f"{where}{error.strerror}. {_OF_THE_MACHINE[error.errno]}", 2)
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    from sf_eval.core.text import printable  # imports rich, which `--help` does without

    click.echo(f"sf-eval: error: {' '.join(printable(message).split())}", err=True)
    return code
