from pathlib import Path

import pytest

from support.annotation_files import write_images


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images")
