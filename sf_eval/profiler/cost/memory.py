"""Memory in closed form, in bytes: keys and values, and the most that a run of the engine holds at once.

The engine does one thing at a time, so its peak is that of the greediest of four: encoding a video,
prefilling what its questions share, prefilling a batch's questions, and decoding. Each holds the weights and
what is kept meanwhile (keys and values, visual tokens), and on top the activations of its widest moment: in
the tower, or in one decoder layer. `tests/profiler/test_memory.py` holds the forecast against what the
engine's calls allocate; `benchmarks/gpu/step_memory.py` against a GPU's peak.

Symbols in the comments are those of `closed_form.py`; w is the bytes of a value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sf_eval.inference.chunks import prefixes_at_once
from sf_eval.profiler.cost.closed_form import Workload, markup_before_video
from sf_eval.profiler.cost.decoder_memory import FLOAT, kv_bytes, pass_bytes
from sf_eval.profiler.cost.shape import ModelShape, VisionShape
from sf_eval.profiler.cost.tokens import TokenCounts, count_tokens

HALF_PRECISION = 2
"""Bytes of a bfloat16 or float16 value."""


def kv_cache_bytes(
    shape: ModelShape, tokens: TokenCounts, work: Workload, width: int = HALF_PRECISION
) -> int:
    """Self-attention keys and values of every layer once the last new token has been read or made.

    The last new token is never fed back, so `new_tokens - 1` of them are cached.
    """
    cached = work.text_tokens + tokens.fast_tokens + max(work.new_tokens - 1, 0)
    return work.batch_size * kv_bytes(shape, cached, width)


def slow_bytes(shape: ModelShape, tokens: TokenCounts, work: Workload, width: int = HALF_PRECISION) -> int:
    """Keys and values of the slow tokens in every hybrid layer: all that decoding needs of them."""
    return work.batch_size * shape.hybrid_layers * 2 * shape.kv_width * tokens.slow_tokens * width


@dataclass(frozen=True)
class Serving:
    """How the engine is asked.

    Attributes:
        frames: of every video.
        batch_size: questions at once.
        chunk_frames: in the tower at a time.
        text_tokens: of every prompt, the markup included; as long as they get.
        new_tokens: an answer's limit, for which room is kept.
        share: a video's work is done once for its questions.
        questions_per_video: that stand together; fewer of them are more videos in a batch.
        value_bytes: of a weight, and of what is computed from it.
    """

    frames: int
    batch_size: int
    chunk_frames: int
    text_tokens: int = 400
    new_tokens: int = 32
    share: bool = True
    questions_per_video: int = 1
    value_bytes: int = HALF_PRECISION

    @property
    def videos(self) -> int:
        """Of which a batch holds questions, at most: the first and the last may be cut in two."""
        if not self.share or self.questions_per_video == 1:
            return self.batch_size
        return min(self.batch_size, -(-(self.batch_size - 1) // self.questions_per_video) + 1)

    @property
    def before_video(self) -> int:
        return markup_before_video(self.text_tokens)


@dataclass(frozen=True)
class MemoryForecast:
    """Bytes on the device at the peak, and what the most of them are.

    Attributes:
        weights: all the model's.
        keys_and_values: self-attention's at the end of a batch: of its rows, and of the prefixes they share.
        slow: the slow tokens' keys and values, once a video.
        visual_tokens: of the videos in a batch.
        encoding, prefix, prompts, decoding: the whole peak of each of the four moments, weights included;
            `prefix` is 0 where nothing is shared.
    """

    weights: int
    keys_and_values: int
    slow: int
    visual_tokens: int
    encoding: int
    prefix: int
    prompts: int
    decoding: int

    @property
    def peak(self) -> int:
        return max(self.encoding, self.prefix, self.prompts, self.decoding)


def forecast(shape: ModelShape, parameters: int, serving: Serving) -> MemoryForecast:
    """The peak of a run whose batches are full.

    Not in it: what an allocator takes in whole blocks, libraries' own workspaces, the CUDA context.
    """
    w, tokens, videos = serving.value_bytes, count_tokens(shape, serving.frames), serving.videos
    weights = parameters * w
    work = Workload(serving.frames, serving.text_tokens, serving.new_tokens + 1, serving.batch_size)
    rows = kv_cache_bytes(shape, tokens, work, w)
    slow = slow_bytes(shape, tokens, replace(work, batch_size=videos), w)
    visual = videos * _visual_bytes(shape, tokens, w)
    prefix_tokens = serving.before_video + tokens.fast_tokens
    prefixes = videos * kv_bytes(shape, prefix_tokens, w) if serving.share else 0
    # Short prefixes wait for their batch. It may begin with a video whose first questions are answered.
    together = min(videos, prefixes_at_once(prefix_tokens))
    read = videos - 1 if together == 1 else min(videos - 1, serving.questions_per_video - 1, 1)
    # While a video is encoded, those of all the other questions of a batch may be waiting.
    held = weights + visual * (videos - 1) // videos
    held += (prefixes + slow) * read // videos if serving.share else 0
    kept = weights + visual + prefixes
    if serving.share:
        prefix = weights + visual + (prefixes + slow) * (videos - together) // videos
        prefix += _first_pass_bytes(shape, tokens, together, prefix_tokens, w, masked=False)
        suffix = serving.text_tokens - serving.before_video
        prompts = kept + slow + rows
        prompts += pass_bytes(
            shape, serving.batch_size, suffix, prefix_tokens + suffix, w, masked=True, room=True
        )
    else:
        length = serving.text_tokens + tokens.fast_tokens
        prefix = 0
        prompts = kept + _first_pass_bytes(shape, tokens, serving.batch_size, length, w, masked=True)
    step = pass_bytes(
        shape, serving.batch_size, 1, serving.text_tokens + tokens.fast_tokens + serving.new_tokens, w,
        masked=True, room=serving.share,
    )  # fmt: skip
    return MemoryForecast(
        weights=weights,
        keys_and_values=rows + prefixes,
        slow=slow,
        visual_tokens=visual,
        encoding=held + encoding_bytes(shape, serving.frames, serving.chunk_frames, w),
        prefix=prefix,
        prompts=prompts,
        decoding=kept + slow + rows + step,
    )


def encoding_bytes(shape: ModelShape, frames: int, chunk_frames: int, width: int = HALF_PRECISION) -> int:
    """Most bytes of one video while it is encoded: its pixels as they came and normalised; and then the
    pieces of which they are joined, or its pooled tokens so far and a chunk in the tower."""
    tokens, chunk = count_tokens(shape, frames), min(chunk_frames, frames)
    pixels = 3 * shape.vision.image_size**2
    given, normalised = frames * pixels, frames * pixels * width
    pooled = frames * tokens.pooled_grid**2 * shape.hidden_size * width
    # The last chunk finds all the others' tokens there; then they are joined, which takes as much again.
    so_far = pooled * (frames - chunk) // frames
    in_tower = so_far + chunk * _tower_values(shape.vision) * width
    # The projector: what the tower gave, and two layers' outputs, of unpooled tokens.
    unpooled = chunk * tokens.tower_tokens * (shape.vision.widths[-1] + 2 * shape.hidden_size) * width
    return given + normalised + max(normalised, in_tower, so_far + unpooled, 2 * pooled)


def _tower_values(vision: VisionShape) -> int:
    """Values of one frame at the widest moment of the tower, the GELU of a block.

    There are then: the stem's output and the stage's input, held by what called the stage; the block's input
    and its normed copy, C each; before and after the GELU, 4C each.
    """
    sizes = [side * side * width for side, width in zip(vision.grids, vision.widths, strict=True)]
    moments = []
    for stage, (depth, size) in enumerate(zip(vision.depths, sizes, strict=True)):
        held = sizes[0] + sizes[stage - 1] if stage > 1 else sizes[0] if stage == 1 else 0
        input_of_blocks = size if depth > 1 else 0
        moments.append(held + input_of_blocks + 10 * size)
    return max(moments)


def _first_pass_bytes(
    shape: ModelShape, tokens: TokenCounts, rows: int, length: int, width: int, *, masked: bool
) -> int:
    """Activations, keys and values of a pass that projects the slow tokens of `rows` videos.

    Their joined copy is there throughout. The greedier of two moments: the widest of a layer, at the end,
    when all keys and values are there; or the projection in the last hybrid layer, after the others'.
    """
    activations = pass_bytes(shape, rows, length, length, width, masked=masked, room=False)
    joined = rows * tokens.slow_tokens * shape.hidden_size * width if shape.hybrid_layers else 0
    slow = rows * shape.hybrid_layers * 2 * shape.kv_width * tokens.slow_tokens * width
    cached = rows * kv_bytes(shape, length, width) + slow
    projection = _projection_bytes(shape, rows * tokens.slow_tokens, rows * length, width)
    before = cached * (shape.hybrid_layers - 1) // max(shape.hybrid_layers, 1)
    return joined + max(activations + cached, projection + before if projection else 0)


def _projection_bytes(shape: ModelShape, slow: int, prompt: int, width: int) -> int:
    """Activations where `slow` tokens are projected: the wider of their norm in float32, and of the normed
    ones with the projection and its copy per head. Beside the prompt's embeddings and, but in the first
    layer, the layer's input."""
    if not shape.hybrid_layers or not slow:
        return 0
    d = shape.hidden_size
    beside = prompt * (1 + (shape.hybrid_layers > 1)) * d * width
    return beside + max(slow * d * 2 * FLOAT, slow * (d + 4 * shape.kv_width) * width)


def _visual_bytes(shape: ModelShape, tokens: TokenCounts, width: int) -> int:
    """Of one video: all pooled tokens, and the fast ones beside them."""
    pooled = tokens.frames * tokens.pooled_grid**2
    return (pooled + tokens.fast_tokens) * shape.hidden_size * width
