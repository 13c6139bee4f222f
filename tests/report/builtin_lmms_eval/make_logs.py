"""The logs beside this file, made anew: `python make_logs.py OUT`, from the root of the repository.

lmms-eval's own tasks of EgoSchema and LongVideoBench read the mini edition in place of the Hub's data: their
yaml and code are copied, and only where the data lies is changed. The model is a Qwen2.5-VL of three layers
with random weights.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import datasets
import lmms_eval.tasks

from sf_eval.editions import mini_root

sys.path.insert(0, str(Path(__file__).parents[2] / "inference" / "families"))

from tiny_checkpoints import make_checkpoint

TASKS = "egoschema_subset,longvideobench_val_v,longvideobench_val_i"
MODEL = "device=cpu,device_map=cpu,max_num_frames=4,min_pixels=3136,max_pixels=6272"
DATA = {
    "egoschema": ("lmms-eval/egoschema", "Subset/test-00000-of-00001.parquet", "test"),
    "longvideobench": ("longvideobench/LongVideoBench", "validation-00000-of-00001.parquet", "validation"),
}


def main(out: Path) -> None:
    """Write `out/logs`."""
    for name, (hub_id, parquet, split) in DATA.items():
        edition = mini_root([name]) / name
        rows = datasets.Dataset.from_parquet(str(edition / parquet), cache_dir=str(out / "cache"))
        datasets.DatasetDict({split: rows}).save_to_disk(str(out / "data" / name))
        _copy_tasks(name, hub_id, out)
        (out / "home").mkdir(exist_ok=True)
        (out / "home" / name).symlink_to(edition)
    checkpoint = make_checkpoint("qwen2_5_vl", out / "tiny-qwen")
    template = (
        checkpoint / "chat_template.jinja"
    )  # the tiny one has no images, which the interleaved task shows
    image = "{% elif part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{"
    template.write_text(template.read_text().replace("{% else %}{{", image))
    _evaluate(out, checkpoint)


def _copy_tasks(name: str, hub_id: str, out: Path) -> None:
    theirs = Path(lmms_eval.tasks.__file__).parent / name
    ours = out / "tasks" / name
    shutil.copytree(theirs, ours, ignore=shutil.ignore_patterns("__pycache__", "no_visual", "random_choice"))
    for path in ours.glob("*yaml"):
        text = path.read_text().replace(hub_id, str(out / "data" / name))
        text = text.replace("  video: True\n", "  load_from_disk: true\n")
        path.write_text(text.replace("cache_dir: datasets/longvideobench", "cache_dir: longvideobench"))


def _evaluate(out: Path, checkpoint: Path) -> None:
    """As the command does; but a task that lmms-eval has already may be read from elsewhere."""
    os.environ.update(HF_HOME=str(out / "home"), HF_HUB_OFFLINE="1")
    manager = lmms_eval.tasks.TaskManager
    initialize = manager.initialize_tasks

    def without_defaults(self: object, include_path: object = None, include_defaults: bool = True) -> object:
        return initialize(self, include_path=include_path, include_defaults=False)

    manager.initialize_tasks = without_defaults
    from lmms_eval.__main__ import cli_evaluate

    asked = ["--model", "qwen2_5_vl", "--model_args", f"pretrained={checkpoint},{MODEL}", "--tasks", TASKS]
    asked += ["--include_path", str(out / "tasks"), "--limit", "8", "--batch_size", "1", "--log_samples"]
    sys.argv = ["lmms-eval", *asked, "--output_path", str(out / "logs")]
    cli_evaluate()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
