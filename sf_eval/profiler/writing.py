"""Every file of a report, each whole or absent."""

from __future__ import annotations

from pathlib import Path

from sf_eval.core import files
from sf_eval.profiler import plots
from sf_eval.profiler.markdown import to_csv, to_markdown
from sf_eval.profiler.page import to_html
from sf_eval.profiler.record import Profile


def write_report(profile: Profile, folder: Path) -> list[Path]:
    """Write `profile.json` last: where it is, the other files are too.

    Raises:
        OutputError: `folder` cannot be written.
    """
    growth = plots.growth_figure(profile)
    breakdown = plots.breakdown_figure(profile)
    growth_svg = plots.to_svg(growth)
    texts = {
        "growth.svg": growth_svg,
        "breakdown.svg": plots.to_svg(breakdown),
        "profile.csv": to_csv(profile),
        "profile.md": to_markdown(profile),
        "profile.html": to_html(profile, growth_svg),
    }
    pictures = {"growth.png": plots.to_png(growth), "breakdown.png": plots.to_png(breakdown)}
    for name, text in texts.items():
        files.write_text(folder / name, text)
    for name, data in pictures.items():
        files.write_bytes(folder / name, data)
    files.write_json(folder / "profile.json", profile.to_json())
    return [folder / name for name in (*texts, *pictures, "profile.json")]
