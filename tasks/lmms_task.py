"""The class that `_sf_task` names; lmms-eval looks for it beside that file."""

from sf_eval.lmms.task import SlowFastTask as Task  # noqa: F401
