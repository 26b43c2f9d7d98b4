"""The entry point. `--version` is answered before anything is imported: scripts and editors ask it often."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line; returns only through SystemExit."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from backendgen import __version__

        sys.stdout.write(f"backendgen {__version__}\n")
        raise SystemExit(0)
    # A run makes many objects that live to its end: to look through them again and again costs a tenth of its time.
    gc.set_threshold(200_000, 20, 50)
    # typer reads options with pydantic, which would search every installed package for plugins of its own: 15 ms.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from backendgen.cli import run

        run()
    except KeyboardInterrupt:  # while modules are still being imported; later, typer sees it
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
