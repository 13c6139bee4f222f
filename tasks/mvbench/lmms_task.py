"""The class that this folder's yaml names; lmms-eval looks for it beside the yaml."""

from sf_eval.lmms.task import SlowFastTask as Task  # noqa: F401
