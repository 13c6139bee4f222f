"""Frames reached by seeking are those that decoding in order gives, to the last bit, whatever the file.

Where that cannot be known beforehand, or anything is odd, the file is decoded in order, and the clip says so.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import video_files as files
from hypothesis import given, settings
from hypothesis import strategies as st

from sf_eval.core.errors import UsageError
from sf_eval.video import (
    Clip,
    ClipLoader,
    DecodeOptions,
    Frames,
    InOrderReason,
    SamplingRule,
    VideoError,
    VideoErrorReason,
    VideoNoteKind,
    load_clip,
    packet_index,
    plan_frames,
    probe,
    read_frames,
)

FRAMES = 72
ALL = SamplingRule("uniform", 1000)
IN_ORDER = DecodeOptions(seek=False, threads=1)
X264 = "keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0:ref=4"
P_ONLY = "keyint=12:min-keyint=12:scenecut=0:bframes=0"
X265 = "keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0:log-level=none"
# name -> encoder, its options, containers
CODECS: dict[str, tuple[str, dict[str, str], str]] = {
    "h264 closed": ("libx264", {"x264-params": X264}, "mp4 mkv mov ts"),
    "h264 open": ("libx264", {"x264-params": f"{X264}:open-gop=1:b-pyramid=normal"}, "mp4 mkv ts"),
    "h264 without B": ("libx264", {"x264-params": P_ONLY}, "mp4 avi"),
    "h264 interlaced": ("libx264", {"x264-params": f"{X264}:tff=1"}, "mp4 ts"),
    "h264 refreshed bit by bit": ("libx264", {"x264-params": f"{X264}:intra-refresh=1"}, "mp4"),
    "hevc closed": ("libx265", {"x265-params": f"{X265}:open-gop=0"}, "mp4 ts"),
    "hevc open": ("libx265", {"x265-params": f"{X265}:open-gop=1"}, "mp4 mkv ts"),
    "hevc in layers": ("libx265", {"x265-params": f"{X265}:temporal-layers=1"}, "mp4"),
    "vp9": (
        "libvpx-vp9",
        {"g": "12", "lag-in-frames": "8", "auto-alt-ref": "1", "cpu-used": "8"},
        "webm mp4",
    ),
    "vp8": ("libvpx", {"g": "12", "lag-in-frames": "8", "auto-alt-ref": "1", "cpu-used": "8"}, "webm mkv"),
    "av1": ("libsvtav1", {"preset": "12", "g": "12"}, "mp4"),
    "mpeg4": ("mpeg4", {"bf": "2", "g": "12"}, "mp4 avi mkv"),
    "mpeg2": ("mpeg2video", {"bf": "2", "g": "12"}, "ts mkv"),
    "mjpeg": ("mjpeg", {}, "avi mov"),
}
CLIPS = [(codec, suffix) for codec, (_, _, suffixes) in CODECS.items() for suffix in suffixes.split()]
# Each codec in its first container; the others in thorough, but where any frames of any codec are asked for.
EACH = [
    pytest.param(codec, suffix, marks=() if suffix == CODECS[codec][2].split()[0] else pytest.mark.thorough)
    for codec, suffix in CLIPS
]


def in_order_reasons(frames: Frames) -> list[str]:
    """Why the file was decoded in order; nothing if frames were reached by seeking."""
    details = [note.detail for note in frames.notes if note.kind is VideoNoteKind.in_order]
    return [detail.removeprefix("decoded in order: ") for detail in details]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("seeking")


@cache
def coded(folder: Path, codec: str, suffix: str) -> Path:
    encoder, options, _ = CODECS[codec]
    path = folder / f"{codec.replace(' ', '_')}.{suffix}"
    pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
    return files.write_video(path, FRAMES, fps=25, codec=encoder, options=options, pix_fmt=pix_fmt)


@cache
def all_frames(path: Path) -> Frames:
    """Every frame of the file, decoded in order by one thread."""
    return load_clip(Clip(path), ALL, options=IN_ORDER)


def assert_same(frames: Frames, reference: Frames) -> None:
    """`frames` are those frames of `reference`, at the same times."""
    np.testing.assert_array_equal(frames.pixels, reference.pixels[list(frames.indices)])
    assert frames.times_s == tuple(reference.times_s[index] for index in frames.indices)


@pytest.mark.parametrize(("codec", "suffix"), CLIPS)
def test_any_frames_of_any_codec_are_those_of_decoding_in_order(folder, codec, suffix):
    path = coded(folder, codec, suffix)
    reference = all_frames(path)
    assert reference.info == probe(path)  # the count by packets is the count by decoding
    assert len(reference.indices) == FRAMES

    @settings(max_examples=8, deadline=None, derandomize=True, database=None)
    @given(st.sets(st.integers(0, FRAMES - 1), min_size=1, max_size=12), st.sampled_from([1, 3, None]))
    def same(indices: set[int], threads: int | None) -> None:
        wanted = sorted(indices)
        pixels = read_frames(path, wanted, options=DecodeOptions(threads=threads))
        np.testing.assert_array_equal(pixels, reference.pixels[wanted])

    same()
    few = load_clip(Clip(path), SamplingRule("uniform", 5))
    assert in_order_reasons(few) == []
    assert_same(few, reference)


@pytest.mark.parametrize(("codec", "suffix"), EACH)
def test_a_file_too_large_to_be_kept_is_sought_in_once_its_packets_are_counted(
    folder, monkeypatch, codec, suffix
):
    """Small files' packets are kept from the count; of large ones the wanted are read again, behind it."""
    path = coded(folder, codec, suffix)
    reference = all_frames(path)
    monkeypatch.setattr(packet_index, "_KEPT_BYTES", 0)
    packet_index.forget()
    frames = load_clip(Clip(path), SamplingRule("uniform", 5))
    assert in_order_reasons(frames) == []
    assert_same(frames, reference)


@pytest.mark.parametrize(("codec", "suffix"), EACH)
def test_packets_that_were_kept_give_the_same_frames(folder, codec, suffix):
    path = coded(folder, codec, suffix)
    packet_index.forget()
    frames = load_clip(Clip(path), SamplingRule("uniform", 5))
    assert in_order_reasons(frames) == []
    assert_same(frames, all_frames(path))


def test_a_clips_file_is_opened_once_and_closed_whatever_comes_of_it(tmp_path, monkeypatch):
    """Finding a file's streams takes as long as decoding dozens of small pictures."""
    good = files.write_video(tmp_path / "good.mp4", 30)
    odd = files.write_video(
        tmp_path / "odd.flv", 30, codec="flv", options={}
    )  # decoded in order: opened again
    cut_off = files.cut(files.write_video(tmp_path / "cut.mp4", 30), 0.5)
    opened: list[av.container.InputContainer] = []
    open_file = av.open
    monkeypatch.setattr(
        av, "open", lambda *given, **more: opened.append(open_file(*given, **more)) or opened[-1]
    )
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    packet_index.forget()
    load_clip(Clip(good), SamplingRule("uniform", 5))
    assert len(opened) == 1
    load_clip(Clip(odd), SamplingRule("uniform", 5))
    with pytest.raises(VideoError):
        load_clip(Clip(cut_off), SamplingRule("uniform", 5))
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_real_clips_are_those_of_decoding_in_order():
    for name in files.REAL_CLIPS:
        path = files.real_clip(name)
        sought = load_clip(Clip(path), SamplingRule("published", 16))
        assert in_order_reasons(sought) == []
        assert_same(sought, all_frames(path))


def packets_of(path: Path) -> list[tuple[int, int]]:
    """Where the video's packets lie in the file, and their sizes, in the order of decoding."""
    data = path.read_bytes()
    with av.open(str(path)) as container:
        return [
            (data.index(bytes(packet)), packet.size) for packet in container.demux(video=0) if packet.size
        ]


def spoilt(path: Path, position: int) -> Path:
    """The file with packet `position` overwritten."""
    data = bytearray(path.read_bytes())
    at, size = packets_of(path)[position]
    data[at : at + size] = bytes([255]) * size
    path.write_bytes(data)
    return path


def damaged_clip(folder: Path, position: int, name: str) -> Path:
    options = {"x264-params": P_ONLY}
    return spoilt(files.write_video(folder / name, FRAMES, fps=25, options=options), position)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_only_what_the_wanted_frames_need_is_decoded(tmp_path, suffix):
    """Damage in another group of pictures is not met; in order it is."""
    path = damaged_clip(tmp_path, 40, f"damaged.{suffix}")
    assert [files.index_of(picture) for picture in read_frames(path, [5, 66])] == [5, 66]
    with pytest.raises(VideoError):
        read_frames(path, [5, 66], options=DecodeOptions(seek=False))


@pytest.mark.parametrize("position", [40, 47, 36])
def test_damage_on_the_way_to_a_wanted_frame_is_met_as_in_order(tmp_path, position):
    path = damaged_clip(tmp_path, position, "damaged.mp4")
    with pytest.raises(VideoError) as error:
        read_frames(path, [5, 47])
    assert error.value.reason is VideoErrorReason.not_decodable


def test_slight_damage_gives_the_pictures_of_decoding_in_order_or_their_error(tmp_path):
    """A decoder may patch a damaged picture from its neighbours: they must be the same neighbours."""
    whole = files.write_video(tmp_path / "whole.mp4", FRAMES, fps=25, options={"x264-params": X264})
    packets = packets_of(whole)
    for position in (13, 24, 25, 26, 40):
        data = bytearray(whole.read_bytes())
        at, size = packets[position]
        data[at + size // 2] ^= 0x5A
        path = tmp_path / f"flipped{position}.mp4"
        path.write_bytes(data)
        for wanted in ([14], [20, 30], list(range(FRAMES))):
            outcomes = []
            for options in (DecodeOptions(threads=1), IN_ORDER):
                try:
                    outcomes.append(read_frames(path, wanted, options=options).tobytes())
                except VideoError as error:
                    outcomes.append(error.reason)
            assert outcomes[0] == outcomes[1]


def variable_times(count: int) -> list[int]:
    return [index * 40 + (index % 7) * 5 + (300 if index > 30 else 0) for index in range(count)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_rate_changes_nothing(tmp_path, suffix):
    path = tmp_path / f"variable.{suffix}"
    files.write_video(path, FRAMES, times_ms=variable_times(FRAMES), options={"x264-params": X264})
    frames = load_clip(Clip(path), SamplingRule("uniform", 6))
    assert in_order_reasons(frames) == []
    assert_same(frames, all_frames(path))
    span = load_clip(Clip(path, start_s=1.0, end_s=2.0), SamplingRule("uniform", 6))
    assert_same(span, all_frames(path))


def test_a_fragmented_mp4_is_sought_in(tmp_path):
    source = files.write_video(tmp_path / "v.mp4", FRAMES, fps=25, options={"x264-params": X264})
    path = tmp_path / "fragmented.mp4"
    with (
        av.open(str(source)) as old,
        av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    frames = load_clip(Clip(path), SamplingRule("uniform", 6))
    assert in_order_reasons(frames) == []
    assert_same(frames, all_frames(path))


def late_pictures(path: Path) -> Path:
    """Sound from the start, pictures from 2 s on."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000)
        sound.layout = "mono"
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"x264-params": X264}
        stream.codec_context.time_base = Fraction(1, 1000)
        packets = []
        for start in range(0, 64000, 1024):
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts = 16000, start
            packets += sound.encode(tone)
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(files.picture(index, 96, 64), format="rgb24")
            frame.pts, frame.time_base = 2000 + index * 40, Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += [*sound.encode(None), *stream.encode(None)]
        for packet in sorted(packets, key=lambda each: float(each.dts * each.time_base)):
            container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_times_are_on_the_containers_clock(tmp_path, suffix):
    path = late_pictures(tmp_path / f"late.{suffix}")
    frames = load_clip(Clip(path), SamplingRule("uniform", 4))
    assert in_order_reasons(frames) == []
    assert frames.times_s[0] == pytest.approx(2.0, abs=0.1)
    assert_same(frames, all_frames(path))


def test_a_display_rotation_is_ignored_as_in_order(tmp_path):
    path = files.rotate_display(files.write_video(tmp_path / "v.mp4", options={"x264-params": X264}), 90)
    frames = load_clip(Clip(path), SamplingRule("uniform", 3))
    assert in_order_reasons(frames) == []
    assert_same(frames, all_frames(path))


def test_the_film_is_sought_in_not_the_thumbnail_before_it(tmp_path):
    path = tmp_path / "thumbnail.mp4"
    with av.open(str(path), "w") as container:
        thumbnail = container.add_stream("mjpeg", rate=1)
        thumbnail.width, thumbnail.height, thumbnail.pix_fmt = 32, 24, "yuvj420p"
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"x264-params": X264}
        frame = av.VideoFrame.from_ndarray(files.picture(9, 32, 24), format="rgb24").reformat(
            format="yuvj420p"
        )
        frame.pts = 0
        container.mux([*thumbnail.encode(frame), *thumbnail.encode(None)])
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(files.picture(index, 96, 64), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = load_clip(Clip(path), SamplingRule("uniform", 4))
    assert in_order_reasons(frames) == []
    assert_same(frames, all_frames(path))
    assert [files.index_of(picture) for picture in frames.pixels] == list(frames.indices)


def trimmed(folder: Path) -> Path:
    options = {"x264-params": X264}
    whole = files.write_video(folder / "whole.mp4", FRAMES, options=options, faststart=True)
    return files.trim_by_edit_list(whole, folder / "trimmed.mp4", 8)


def doubled_times(folder: Path) -> Path:
    """Two pictures that are shown at the same time."""
    source = files.write_video(folder / "v.mkv", FRAMES, fps=25, options={"x264-params": P_ONLY})
    path = folder / "doubled.mkv"
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        before = None
        for position, packet in enumerate(old.demux(video=0)):
            if packet.size:
                if position == 30:
                    packet.pts, packet.dts = before
                before = packet.pts, packet.dts
                packet.stream = stream
                new.mux(packet)
    return path


def without_times(folder: Path) -> Path:
    """A raw stream, whose packets have no times."""
    path = folder / "raw.m2v"
    with av.open(str(path), "w", format="mpeg2video") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.options = {"bf": "2"}
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(files.picture(index, 96, 64), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def in_flv(folder: Path) -> Path:
    return files.write_video(folder / "v.flv", FRAMES, fps=25, options={"x264-params": X264})


def b_frames_in_avi(folder: Path) -> Path:
    """An avi has one time for a picture, and that is not when it is shown."""
    return files.write_video(folder / "v.avi", FRAMES, fps=25, options={"x264-params": X264})


def overstated(folder: Path) -> Path:
    options = {"x264-params": X264}
    return files.overstate_frames(files.write_video(folder / "v.mp4", FRAMES, options=options), 3)


def headless(folder: Path) -> Path:
    options = {"x264-params": X264}
    return files.without_first_packet(
        files.write_video(folder / "v.mp4", FRAMES, fps=25, options=options), folder / "headless.mkv"
    )


def rare_codec(folder: Path) -> Path:
    return files.write_video(folder / "v.avi", FRAMES, codec="msmpeg4")


ODD = {
    trimmed: {InOrderReason.edit_list, InOrderReason.count_differs},
    doubled_times: {InOrderReason.doubled_times},
    without_times: {InOrderReason.missing_times, InOrderReason.unknown_format},
    in_flv: {InOrderReason.unknown_format},
    b_frames_in_avi: {InOrderReason.disagreement},
    overstated: {InOrderReason.count_differs},
    headless: {InOrderReason.starts_inside_group},
    rare_codec: {InOrderReason.unknown_format},
}


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
def test_what_is_odd_is_decoded_in_order_and_says_so(tmp_path, make):
    clip, rule = Clip(make(tmp_path)), SamplingRule("published", 1000, target_fps=5)
    if make is headless:  # most of its last pictures cannot be decoded
        clip = Clip(clip.path, end_s=1.0)
    frames, as_before = load_clip(clip, rule), load_clip(clip, rule, options=IN_ORDER)
    assert set(in_order_reasons(frames)) <= {reason.value for reason in ODD[make]}
    assert len(in_order_reasons(frames)) == 1
    np.testing.assert_array_equal(frames.pixels, as_before.pixels)
    assert (frames.indices, frames.times_s, frames.info, frames.missing) == (
        as_before.indices, as_before.times_s, as_before.info, as_before.missing,
    )  # fmt: skip


def test_an_index_that_does_not_hold_is_found_out(tmp_path):
    """The container's table says when each picture is shown; here two pictures' times are exchanged."""
    path = files.write_video(tmp_path / "v.mp4", FRAMES, fps=25, options={"x264-params": X264})
    data = bytearray(path.read_bytes())
    entries = data.index(b"ctts") + 4 + 8
    first, second = (struct.unpack_from(">I", data, entries + at)[0] for at in (4 + 8 * 20, 4 + 8 * 21))
    assert first != second
    struct.pack_into(">I", data, entries + 4 + 8 * 20, second)
    struct.pack_into(">I", data, entries + 4 + 8 * 21, first)
    path.write_bytes(data)
    wanted = [19, 20, 21, 22, 40]
    np.testing.assert_array_equal(
        read_frames(path, wanted), read_frames(path, wanted, options=DecodeOptions(seek=False))
    )


def test_seeking_can_be_switched_off(tmp_path):
    path = trimmed(tmp_path)
    for in_process in (False, True):
        with ClipLoader(SamplingRule("uniform", 6), seek=False, in_process=in_process) as loader:
            assert in_order_reasons(loader.load(Clip(path))) == []
        with ClipLoader(SamplingRule("uniform", 6), in_process=in_process) as loader:
            assert len(in_order_reasons(loader.load(Clip(path)))) == 1


def test_a_plan_is_the_same_with_and_without_seeking(folder):
    for codec, suffix in (("vp9", "webm"), ("h264 open", "mkv"), ("mpeg2", "ts")):
        clip = Clip(coded(folder, codec, suffix), start_s=0.5)
        assert plan_frames(clip, ALL) == plan_frames(clip, ALL, options=IN_ORDER)


def test_threads_that_cannot_be_meant_are_refused():
    with pytest.raises(UsageError, match="threads"):
        DecodeOptions(threads=0)
