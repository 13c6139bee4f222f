"""How a benchmark's repository on the Hub is laid out: what holds the media, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass

_MEDIA = ("*.mp4", "*.MP4", "*.mkv", "*.webm", "*.avi", "*.mov", "*.srt")
_ARCHIVES = ("*.zip", "*.zip.*", "*.tar*", "*.tgz*")


@dataclass(frozen=True)
class HubLayout:
    """What of a repository's media is wanted. The default takes archives and media wherever they lie.

    None of the real repositories could be opened while this was written: an adapter says beside its layout
    how it is known ("guides" are public download guides and scripts, "assumed" is a guess that fits them),
    and docs/fetching.md has the whole account. A layout that does not fit ends in an error that lists what
    the repository has.

    In the globs, `*` also crosses folders, and capitals are told apart.

    Attributes:
        archives: globs of archives (or parts of them) that are unpacked into the benchmark's `media_root`.
            Where there are globs of archives or media, at least one file must match.
        media: globs of media files that lie in the repository as they are; they keep their path.
        note: what the user must know, e.g. of media that no repository may hold; shown after a fetch.
    """

    archives: tuple[str, ...] = _ARCHIVES
    media: tuple[str, ...] = _MEDIA
    note: str = ""


#: Archives and media wherever they lie.
ANYWHERE = HubLayout()
