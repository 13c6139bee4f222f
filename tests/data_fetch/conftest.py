from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the two helper modules beside this file

from fetch_machine import Machine
from loopback_hub import HubServer


@pytest.fixture
def server() -> Iterator[HubServer]:
    server = HubServer()
    yield server
    if not server.is_gone:
        server.close()


@pytest.fixture
def machine(tmp_path: Path, server: HubServer) -> Machine:
    return Machine(tmp_path, server)
