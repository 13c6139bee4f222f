"""One real run of the mini model with looks, one browser, two pages: the run's, and a large hostile one."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sf_eval.cli.main import _run
from sf_eval.harness import output_dir
from sf_eval.harness.plan import make_plan
from sf_eval.harness.run import execute
from sf_eval.harness.settings import RunSettings, parse_limit
from sf_eval.report.view import kept
from sf_eval.report.view.build import build, plan_page

HOSTILE = (
    "<script>document.title='owned'</script></script><img src=x onerror=\"document.title='owned'\">",
    "\u202eright to left\u2066 \u200f<b>bold</b> \x1b[31m\u2028line",
    '");document.title="owned";//\\u2028</script>',
    "__proto__",
    "long " * 200_000,  # 1 MB
)
MANY = 4_500


class Quiet:
    """Watches a run and shows nothing."""

    def stage(self, text: str) -> None: ...
    def begin(self, total: int, **_: Any) -> None: ...
    def result(self, *_: Any, **__: Any) -> None: ...


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, shared_cache: None) -> Path:
    """Three short videos of mini Video-MME, asked of the mini model, and looked at."""
    output = tmp_path_factory.mktemp("view") / "run"
    settings = RunSettings(
        model="mini", tasks="videomme", data="mini", limit=parse_limit("15"), output=output, decoders=0
    )
    plan = make_plan(settings)
    with output_dir.locked(output):
        execute(plan, Quiet())
    assert _run(["look", str(output), "--brief"]) == 0
    return output


@pytest.fixture(scope="session")
def page(finished_run: Path) -> Path:
    """The run's page."""
    assert _run(["view", str(finished_run)]) == 0
    return finished_run / "view" / "index.html"


@pytest.fixture(scope="session")
def hostile_page(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thousands of questions of two runs, whose texts mean no good."""
    one = kept.read(finished_run).runs[0]
    generator = random.Random(0)
    model = list(one.samples.values())[3]

    def run(name: str, outcomes: tuple[str, ...]) -> kept.ViewedRun:
        samples = {}
        for row in range(MANY):
            text = HOSTILE[row % len(HOSTILE)] if row < 20 else f"an ordinary answer, number {row}"
            samples["videomme", row] = model.model_copy(
                update={
                    "doc_id": row,
                    "question_id": f"{text[:40]}/{row}" if row < 20 else f"q-{row}",
                    "prompt": text,
                    "output": text,
                    "options": {"A": text[:100], "B": "another"},
                    "categories": {"__proto__": "constructor", "kind": text[:50]} if row < 20 else {},
                    "outcome": generator.choice(outcomes),
                }
            )
        return kept.ViewedRun(name, one.folder, one.record, samples, {}, {}, {})

    runs = (
        run("<i>first</i>", ("correct", "wrong", "unjudged")),
        run("second", ("correct", "wrong", "timeout")),
    )
    folder = tmp_path_factory.mktemp("hostile")
    viewed = kept.Viewed(folder, runs, None)
    return build(plan_page(viewed, None, with_frames=False, budget=1), data=None, progress=lambda *_: None)


@dataclass(frozen=True)
class Browser:
    """A headless Chromium; `open` waits until the page is ready."""

    driver: Any

    def open(self, page: Path, address: str = "", *, width: int = 1280) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.get("about:blank")
        self.driver.get(f"{page.as_uri()}{address}")
        self.until("document.body.dataset.ready === 'true'")

    def js(self, expression: str) -> Any:
        return self.driver.execute_script(f"return {expression}")

    def until(self, expression: str) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, 60, 0.05).until(lambda _: self.js(expression), expression)

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.js(
            f"[...document.querySelectorAll('{selector}')].map(one => one.textContent)"
        )
        return found

    def complaints(self) -> list[str]:
        """What the browser wrote to its console since the last call: errors, refusals by the policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Skips where there is no Chromium with its driver, or no selenium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip(
            "no Chromium with chromedriver on this machine (apt-get install chromium chromium-driver)"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield Browser(opened)
    opened.quit()


@pytest.fixture
def no_complaints(browser: Browser) -> Iterator[Callable[[], list[str]]]:
    """The browser's console stays empty."""
    browser.complaints()
    yield browser.complaints
    assert browser.complaints() == []
