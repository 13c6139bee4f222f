"""Takes docs/images/view.png: `python docs/images/screenshot.py PAGE '#/q/videomme/009-1'`.

Needs selenium (in the dev extra) and Chromium with its driver.
"""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

SIZE = {"width": 1180, "height": 920, "deviceScaleFactor": 1, "mobile": False}
READY = "return document.querySelector('.frame.chosen') !== null"


def main(page: Path, address: str) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SIZE)
        driver.get(page.resolve().as_uri() + address)
        WebDriverWait(driver, 60).until(lambda browser: browser.execute_script(READY))
        picture = Image.open(BytesIO(driver.get_screenshot_as_png())).convert("RGB").quantize(128)
        picture.save(Path(__file__).with_name("view.png"), optimize=True)
    finally:
        driver.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
