"""The entry point. What needs no run is answered before the command line is imported: `--version`, and a remembered run."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # as type checkers know it: to import typing takes so long that Ctrl-C may come in between
if TYPE_CHECKING:
    from backendgen.cache import Outcome

_REMEMBERED = ("migrate-check", "audit")


def main() -> None:
    """Run the command line; returns only through SystemExit."""
    if sys.stdout is None:  # closed by who started this: what is to go there fails, and the run with it
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]) and sys.stdout.writable():
        from backendgen import __version__

        sys.stdout.write(f"backendgen {__version__}\n")
        raise SystemExit(0)
    sys.unraisablehook = _still_interrupted
    # A run makes many objects that live to its end: to look through them again and again costs a tenth of its time.
    gc.set_threshold(200_000, 20, 50)
    try:
        if arguments[:1] and arguments[0] in _REMEMBERED and "--no-cache" not in arguments:
            from backendgen import cache

            if outcome := cache.begin(arguments):
                _repeat(outcome)
        # typer reads options with pydantic, which would search every installed package for plugins of its own: 15 ms.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from backendgen.cli import run

        run()
    except KeyboardInterrupt:  # while modules are still being imported; later, typer sees it
        raise SystemExit(130) from None
    except RuntimeError as error:  # what Python makes of it while a class is being made (until 3.12)
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise SystemExit(130) from None
        raise


def _still_interrupted(unraisable: sys.UnraisableHookArgs) -> None:
    """Interrupt again what was interrupted where nothing can be raised: Python drops it there, and the run would go on.

    That is so in each callback of the import system, in finalizers and in weak references' callbacks.
    """
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    import signal

    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01)


def _repeat(outcome: Outcome) -> None:
    """Write again what the same run wrote, and exit as it did; where that fails, the run is to say so itself."""
    from pathlib import Path

    from backendgen import files
    from backendgen.errors import UserError

    try:
        for output in outcome.outputs:
            if output.file:
                files.write(Path(output.file), output.text.encode())
        for output in outcome.outputs:
            if not output.file:
                sys.stdout.write(output.text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is written at the exit
        raise SystemExit(1) from None
    except (OSError, UserError):
        return
    raise SystemExit(outcome.code)


if __name__ == "__main__":
    main()
