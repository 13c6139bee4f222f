"""Memory of the engine with a model of another family, in closed form, in bytes. Plain integers, no torch.

The twin of `memory.py` for plain, pooled and attached models of the families that `family_question.py` knows,
as transformers 5.23 computes them with scaled dot product attention. A video is as its processor makes it
(`VideoSize`). Symbols in the comments: w bytes of a value, D hidden size, N slow tokens, K width of all KV
heads. `tests/profiler/test_family_memory.py` holds the forecast against what the engine's calls allocate.
"""

from __future__ import annotations

from math import prod

from sf_eval.core.video_size import VideoSize
from sf_eval.profiler.cost.decoder_memory import FLOAT, kv_bytes, pass_bytes
from sf_eval.profiler.cost.family_question import FamilyModel
from sf_eval.profiler.cost.memory import MemoryForecast, Serving


def family_forecast(
    model: FamilyModel, parameters: int, video: VideoSize, serving: Serving, *, cpu_resizes_bytes: bool
) -> MemoryForecast | None:
    """The peak of a run whose batches are full of such videos; None where the tower makes no such video.

    `serving.text_tokens` are those after the video. Not in it: what `memory.forecast` leaves out; attention
    other than "sdpa" and "flash_attention_2".

    Args:
        cpu_resizes_bytes: pictures are resized as bytes, as on a CPU; on a GPU torchvision turns them into
            float32 before and after.
    """
    if model.tower.unit(video.grid[1:]) is None:
        return None
    return _Moments(model, video, serving).forecast(parameters, cpu_resizes_bytes=cpu_resizes_bytes)


class _Moments:
    """The four moments of `MemoryForecast`."""

    def __init__(self, model: FamilyModel, video: VideoSize, serving: Serving) -> None:
        self.model, self.video, self.serving = model, video, serving
        self.width, self.decoder = serving.value_bytes, model.decoder
        self.prefix_tokens = video.visual_tokens + video.text_tokens
        self.prompt_tokens = self.prefix_tokens + serving.text_tokens
        self.row = self.decoder.hidden_size * self.width  # of one token
        self.all_tokens = prod(video.grid) + model.tail

    def forecast(self, parameters: int, *, cpu_resizes_bytes: bool) -> MemoryForecast:
        serving, videos, weights = self.serving, self.serving.videos, parameters * self.width
        visual, slow = videos * self.visual_bytes(), videos * self.slow_bytes()
        rows = serving.batch_size * self._kv(self.prompt_tokens + serving.new_tokens - 1)
        prefixes = videos * self._kv(self.prefix_tokens) if serving.share else 0
        # While a video is encoded, those of all the other questions of a batch may be waiting.
        waiting = visual + (prefixes + slow if serving.share else 0)
        held = weights + waiting * (videos - 1) // videos
        kept = weights + visual + prefixes
        first = self.visual_bytes() + self._first_pass(self.prefix_tokens)
        reading = self._suffixes() if serving.share else self._whole_prompts()
        return MemoryForecast(
            weights=weights,
            keys_and_values=rows + prefixes,
            slow=slow,
            visual_tokens=visual,
            encoding=held + self._encoding(cpu_resizes_bytes=cpu_resizes_bytes),
            prefix=held + first if serving.share else 0,
            prompts=kept + reading + (slow if serving.share else 0),
            decoding=kept + slow + rows + self._step(),
        )

    def visual_bytes(self) -> int:
        """Of one encoded video: the tokens in the prompt, at each depth, and all of the tower's if read."""
        slow = self.all_tokens if self.model.hybrid_layers else 0
        return (self.model.levels * self.video.visual_tokens + slow) * self.row

    def slow_bytes(self) -> int:
        """Of one read video: keys and values of its slow tokens; cosines and sines of their places."""
        if not self.model.hybrid_layers:
            return 0
        slow = prod(self.video.grid)
        pairs = self.model.hybrid_layers * 2 * self.decoder.kv_width * self.width
        return slow * (pairs + 2 * self.decoder.head_dim * FLOAT)

    def _encoding(self, *, cpu_resizes_bytes: bool) -> int:
        model, video, serving = self.model, self.video, self.serving
        units = video.grid[0]
        coded = 3 * video.frames * video.coded[0] * video.coded[1]
        pixels = video.values * FLOAT
        resizing = 0 if cpu_resizes_bytes else (coded + video.resized) * FLOAT + video.resized
        processing = video.resized + model.tower.processing_copies() * pixels
        frames_a_unit = -(-video.frames // units)
        at_once = min(max(serving.chunk_frames // frames_a_unit, 1), units)
        whole = model.levels * self.all_tokens * self.row
        # The last chunk finds all the others' tokens there; then they are joined, which takes as much again.
        so_far = whole * (units - at_once) // units
        chunk = pixels * at_once // units * self.width // FLOAT if self.width < FLOAT else 0
        in_tower = so_far + chunk + model.tower.peak_bytes(video.grid[1:], at_once, self.width)
        joined = whole * (2 if at_once < units else 1)
        pooled = whole + self._pooling() if self._pools else 0
        return coded + max(resizing, processing, pixels + max(in_tower, joined, pooled))

    @property
    def _pools(self) -> bool:
        return self.model.temporal_stride > 1 or self.model.spatial_stride > 1

    def _pooling(self) -> int:
        """Windows of frames averaged, then cells of one depth; all depths' results in the end."""
        windows = self.all_tokens // self.model.temporal_stride if self.model.temporal_stride > 1 else 0
        return (windows + self.model.levels * self.video.visual_tokens) * self.row

    def _first_pass(self, length: int) -> int:
        """Of one prompt, or the beginning of one, that holds the video: keys and values made here included.

        Beside the pass the video's tokens stand in a row, at each depth. The greediest of: the last layer,
        when all keys and values are there; a layer to whose output a depth was added, which holds the output
        too; the projection of the slow tokens in the last layer that reads them.
        """
        model, decoder = self.model, self.decoder
        cached = self._kv(length)
        work = pass_bytes(decoder, 1, length, length, self.width, masked=False, room=True)
        moments = [work + cached + self.slow_bytes()]
        if model.levels > 1:
            early = min(model.levels, decoder.layers)
            moments.append(work + length * self.row + cached * early // decoder.layers)
        if model.hybrid_layers:
            moments.append(
                self._projection(length) + cached * (model.hybrid_layers - 1) // model.hybrid_layers
            )
        return model.levels * self.video.visual_tokens * self.row + max(moments)

    def _projection(self, length: int) -> int:
        """Slow tokens normed in float32, then projected, and their keys rotated; beside the query."""
        decoder, slow = self.decoder, prod(self.video.grid)
        beside = length * (3 * decoder.hidden_size + 2 * decoder.attention_width) * self.width
        kept = self.slow_bytes() * (self.model.hybrid_layers - 1) // self.model.hybrid_layers
        norm = 2 * slow * decoder.hidden_size * FLOAT
        rotated = slow * (decoder.hidden_size + 6 * decoder.kv_width) * self.width
        return beside + kept + max(norm, rotated)

    def _suffixes(self) -> int:
        """A batch's keys and values, and its questions' pass; or the last layer being joined of its rows.

        A layer is joined of padded rows, which are put into one tensor and that into the cache.
        """
        serving, decoder = self.serving, self.decoder
        before = serving.batch_size * self._kv(self.prefix_tokens)
        rows = serving.batch_size * self._kv(self.prompt_tokens)
        work = pass_bytes(
            decoder, serving.batch_size, serving.text_tokens, self.prompt_tokens, self.width,
            masked=True, room=True,
        )  # fmt: skip
        joining = before + 2 * before // decoder.layers
        growing = rows // (2 * decoder.layers)
        return max(rows + max(work, growing), joining)

    def _whole_prompts(self) -> int:
        """One prompt after the other is read, with all before it kept; then all are joined."""
        batch, decoder = self.serving.batch_size, self.decoder
        rows = batch * self._kv(self.prompt_tokens)
        slow = (batch - 1) * self.slow_bytes()
        reading = rows * (batch - 1) // batch + slow + self._first_pass(self.prompt_tokens)
        joining = 2 * rows + 2 * rows // decoder.layers + batch * self.slow_bytes() if batch > 1 else 0
        return max(reading, joining)

    def _step(self) -> int:
        """One new token a row: a layer's values grow by a copy; or the logits, in float32 too."""
        serving, decoder = self.serving, self.decoder
        keys = self.prompt_tokens + serving.new_tokens - 1
        logits = serving.batch_size * decoder.vocab_size * self.width
        growing = serving.batch_size * keys * decoder.kv_width * self.width
        work = pass_bytes(decoder, serving.batch_size, 1, keys, self.width, masked=False, room=True)
        return logits + max(growing, work)

    def _kv(self, positions: int) -> int:
        return kv_bytes(self.decoder, positions, self.width)
