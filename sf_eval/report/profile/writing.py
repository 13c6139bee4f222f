"""Every file of a report, each whole or absent."""

from __future__ import annotations

from pathlib import Path

from sf_eval.core import files
from sf_eval.profiler.record import Profile
from sf_eval.report.profile import plots
from sf_eval.report.profile.markdown import to_csv, to_markdown
from sf_eval.report.profile.page import to_html


def write_report(profile: Profile, folder: Path) -> list[Path]:
    """Write `profile.json` last: where it is, the other files are too.

    Without matplotlib there are no plots; everything else is written all the same.

    Raises:
        OutputError: `folder` cannot be written.
    """
    texts, pictures = _plots(profile)
    texts |= {
        "profile.csv": to_csv(profile),
        "profile.md": to_markdown(profile),
        "profile.html": to_html(profile, _growth_svgs(profile)),
    }
    for name, text in texts.items():
        files.write_text(folder / name, text)
    for name, data in pictures.items():
        files.write_bytes(folder / name, data)
    files.write_json(folder / "profile.json", profile.to_json())
    return [folder / name for name in (*texts, *pictures, "profile.json")]


def _growth_svgs(profile: Profile) -> list[str]:
    return [plots.to_svg(figure) for figure in plots.growth_panels(profile)] if plots.available() else []


def _plots(profile: Profile) -> tuple[dict[str, str], dict[str, bytes]]:
    """SVG and PNG by name; none on a machine without matplotlib (a GPU machine needs only torch)."""
    if not plots.available():
        return {}, {}
    figures = {"growth": plots.growth_figure(profile), "breakdown": plots.breakdown_figure(profile)}
    return (
        {f"{name}.svg": plots.to_svg(figure) for name, figure in figures.items()},
        {f"{name}.png": plots.to_png(figure) for name, figure in figures.items()},
    )
