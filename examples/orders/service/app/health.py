"""Health for orchestrators and people.

/live   the process runs: restart it when this fails
/ready  it can serve: send it traffic only while this is 200
/health what works and what does not
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from app import responses
from app.problems import unavailable

CHECK_TIMEOUT_S = 2.0

Check = Callable[[], Awaitable[None]]

log = structlog.get_logger("app.health")
router = APIRouter(tags=["operations"])


def install(app: FastAPI, checks: Mapping[str, Check]) -> None:
    """Serve the three endpoints. A check raises when its dependency does not work."""
    app.state.checks = checks
    app.include_router(router)


@router.get("/live", summary="Is the process running?")
async def live() -> Response:
    """Answer without asking anything else."""
    return responses.json({"status": "ok"})


@router.get("/ready", summary="Can it serve requests?")
async def ready(request: Request) -> Response:
    """Answer 503 while a dependency fails."""
    results = await run(request.app.state.checks)
    if failed := [name for name, result in results.items() if result != "ok"]:
        raise unavailable(f"Not ready: {', '.join(failed)} failed.")
    return responses.json({"status": "ok"})


@router.get("/health", summary="What works?")
async def health(request: Request) -> Response:
    """Answer with the result of every check; 503 when one failed."""
    results = await run(request.app.state.checks)
    healthy = all(result == "ok" for result in results.values())
    status = "ok" if healthy else "failed"
    return responses.json({"status": status, "checks": results}, 200 if healthy else 503)


async def run(checks: Mapping[str, Check]) -> dict[str, str]:
    """Run all checks at once and return `ok` or `failed` for each; the reason goes to the log."""
    found = await asyncio.gather(*(_passes(name, check) for name, check in checks.items()))
    return {name: "ok" if passed else "failed" for name, passed in zip(checks, found, strict=True)}


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Exception as error:  # whatever a dependency raises: it does not work
        log.warning("check failed", check=name, error=type(error).__name__)
        return False
    return True
