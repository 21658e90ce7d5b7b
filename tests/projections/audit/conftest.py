"""A desk to look at bundles on."""

from pathlib import Path

import pytest

from tests.support.auditor import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
