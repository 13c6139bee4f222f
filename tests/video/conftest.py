"""The helpers of this folder are a module beside the tests: `video_files`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import video_files


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    """A small mp4: 48 frames of 96x64 at 24 fps, with B-frames."""
    return video_files.write_video(tmp_path / "clip.mp4")
