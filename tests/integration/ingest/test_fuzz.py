"""Requests made from ingest's own OpenAPI document, valid and not: no answer is a server's error, none takes long.

``MINUTES=10 make fuzz`` for the long form.
"""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.integration.ingest.harness import House
from tests.unit.ingest.support import LIVE

MIB = 2**20
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"


def fuzz(ingest: House, home: Path, seconds: int, seed: int) -> str:
    """Schemathesis against the process for so long; what it says. It fails at the first 5xx or an answer after 5 s."""
    argv = [
        *(str(Path(sys.executable).parent / "st"), "run", f"{ingest.url}/openapi.json"),
        *("--auth", f"{LIVE}:", "--checks", CHECKS, "--max-response-time", "5", "--request-timeout", "10"),
        *("--max-time", str(seconds), "--seed", str(seed), "--phases", "examples,coverage,fuzzing"),
        *("--warnings", "off", "--no-shrink", "--max-failures", "3", "--suppress-health-check", "all"),
    ]
    done = subprocess.run(argv, cwd=home, capture_output=True, text=True, timeout=seconds + 120, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


def held(ingest: House, home: Path, seconds: int, seed: int) -> None:
    """Fuzz, then see the same process, no larger than before, take a page view."""
    assert ingest.process is not None
    process = psutil.Process(ingest.process.pid)
    fuzz(ingest, home, 5, seed + 1)  # what is loaded at first use is no growth
    settled = process.memory_info().rss / MIB
    print(fuzz(ingest, home, seconds, seed)[-900:])
    grown = process.memory_info().rss / MIB - settled
    print(f"· {seconds} s, memory {settled:.0f} MiB, grown by {grown:.0f}")
    assert grown < 48
    assert ingest.post("/v1/page", {"userId": "u-1", "messageId": "m-1", "name": "Home"}).status_code == 200
    assert ingest.log.read_text().count("Traceback") == 0


def test_requests_made_from_the_document_for_a_moment(ingest: House, tmp_path: Path) -> None:
    held(ingest, tmp_path, 12, seed=1)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_requests_made_from_the_document_for_minutes(ingest: House, tmp_path: Path) -> None:
    held(ingest, tmp_path, int(60 * float(os.environ.get("MINUTES") or 10)), seed=int(os.environ.get("SEED") or 7))
