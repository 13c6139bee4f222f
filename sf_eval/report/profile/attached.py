"""The table of `sf-eval profile --model NAME+slow`: plain, pooled and attached at each number of frames."""

from __future__ import annotations

from sf_eval.core.tables import Table
from sf_eval.profiler.attached import AttachedProfile, AttachedRow


def attached_table(profile: AttachedProfile) -> Table:
    """A row a number of frames; in a cell: prefill TFLOP / KV MiB / prefill and vision TFLOP."""
    frames = tuple(dict.fromkeys(row.frames for row in profile.rows))
    shares = tuple(dict.fromkeys(row.fast_share for row in profile.rows if row.kind == "attached"))
    rows = []
    for count in frames:
        plain = profile.row(count, "plain", "1")
        attached = [profile.row(count, "attached", share) for share in shares]
        vision = _tera(plain.vision_flops, 1)
        rows.append((str(count), _cell(plain), *map(_cell, attached), vision))
    columns = ("frames", "plain", *(f"fast {share}" for share in shares), "vision")
    return Table(
        f"{profile.title} with a slow path: LLM prefill TFLOP (causal halved) / KV MiB with slow k, v / "
        "LLM + vision TFLOP",
        columns,
        tuple(rows),
        numeric=frozenset(columns),
        notes=_notes(profile),
    )


def pooled_table(profile: AttachedProfile) -> Table:
    """What the slow path itself costs: attached over the pooled control with the same fast tokens."""
    rows = []
    for row in profile.rows:
        if row.kind == "attached":
            pooled = profile.row(row.frames, "pooled", row.fast_share)
            rows.append(
                (
                    str(row.frames),
                    row.fast_share,
                    f"{row.fast_tokens:,}",
                    f"{row.slow_tokens:,}",
                    _tera(pooled.prefill_flops, 2),
                    f"{row.prefill_flops / pooled.prefill_flops - 1:+.1%}",
                    f"{pooled.kv_bytes / 2**20:.1f}",
                    f"{row.kv_bytes / pooled.kv_bytes - 1:+.1%}",
                )
            )
    columns = (
        "frames", "fast", "fast tokens", "slow tokens", "pooled TFLOP", "slow path adds", "pooled KV MiB",
        "slow k, v add",
    )  # fmt: skip
    return Table(
        "Pooled control, and what the slow path adds to it", columns, tuple(rows), frozenset(columns)
    )


def _notes(profile: AttachedProfile) -> tuple[str, ...]:
    added = max(row.added_weights for row in profile.rows) / 1e6
    layers = ", ".join(map(str, profile.hybrid_layers))
    notes = [
        f"Frames and tokens: {profile.setting}. {profile.text_tokens} text tokens.",
        f"Hybrid layers {layers}; {added:.1f} M weights more. Shape: {profile.source}.",
    ]
    statuses = {row.trace.status for row in profile.rows}
    if statuses == {"agrees"}:
        notes.append("The closed form equals FlopCounterMode over the real modules on meta in every row.")
    else:
        notes += [
            f"{row.frames} frames: closed form against trace: {row.trace.status} {row.trace.reason}".strip()
            + "."
            for row in profile.rows
            if row.kind == "plain" and row.trace.status != "agrees"
        ]
    beyond = sorted({row.frames for row in profile.rows if row.kind == "plain" and row.exceeds_context})
    if beyond:
        listed = ", ".join(map(str, beyond))
        notes.append(f"At {listed} frames the plain model's prompt exceeds its context: arithmetic only.")
    return tuple(notes)


def _cell(row: AttachedRow) -> str:
    prefill = row.prefill_flops / 1e12
    digits = 1 if prefill >= 10 else 2
    return f"{prefill:,.{digits}f} / {row.kv_bytes / 2**20:,.1f} / {_tera(row.total_flops, 1)}"


def _tera(flops: int, digits: int) -> str:
    return f"{flops / 1e12:,.{digits}f}"
