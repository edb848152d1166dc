"""Opens pages and pictures in a real browser: headless Chromium (Debian: `apt install chromium chromium-driver`).

Without it the tests that look at pages are skipped, and say why. To look at a page yourself:

    python -m tests.browser PAGE.html PICTURE.png [WIDTH]
"""

from __future__ import annotations

import atexit
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

# What is visible and has text of its own, with its rectangle.
TEXTS = """
const found = [];
for (const element of document.querySelectorAll("body *, svg text")) {
  const text = [...element.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join("").trim();
  if (!text || !element.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
  const range = document.createRange();
  range.selectNodeContents(element);
  for (const box of range.getClientRects())
    found.push([text, box.left + scrollX, box.top + scrollY, box.right + scrollX, box.bottom + scrollY]);
}
return found;
"""
SIZE = """
const svg = document.documentElement, box = svg.getBoundingClientRect();
return svg.localName === "svg" ? [box.right, box.bottom] : [svg.clientWidth, svg.scrollHeight];
"""
OFFLINE = "host-resolver-rules=MAP * ~NOTFOUND"
# Letters of neighbours may touch by so many pixels: the boxes of fonts are larger than what they draw.
TOUCHING = 3.0


class Page:
    """A page that is open.

    Attributes
    ----------
    driver
        Selenium's driver, to click and to ask.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def run(self, script: str) -> Any:
        """What the JavaScript `script` returns."""
        return self.driver.execute_script(script)

    def complaints(self) -> list[str]:
        """What the browser's console says is wrong since the last call: scripts that failed, what could not be loaded.

        The browser is offline, so all that a page wants from elsewhere is among it.
        """
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def texts(self) -> list[str]:
        """Every line of text that can be seen."""
        return [text for text, *_ in self.run(TEXTS)]

    def unreadable(self) -> list[str]:
        """Texts that lie on each other, or outside the page."""
        boxes = self.run(TEXTS)
        width, height = self.run(SIZE)
        outside = [
            f"{text!r} is cut off"
            for text, left, top, right, bottom in boxes
            if left < -1 or top < -1 or right > width + 1 or bottom > height + TOUCHING
        ]
        return outside + [
            f"{a[0]!r} lies on {b[0]!r}"
            for k, a in enumerate(boxes)
            for b in boxes[:k]
            if min(a[3], b[3]) - max(a[1], b[1]) > TOUCHING and min(a[4], b[4]) - max(a[2], b[2]) > TOUCHING
        ]


def missing() -> str | None:
    """Why there is no browser; None if there is one."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(lacking)} missing: apt install chromium chromium-driver" if lacking else None


@cache
def _driver() -> Any:
    """The browser, started once for all pages."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for switch in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", OFFLINE):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "WARNING"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    atexit.register(driver.quit)
    return driver


def opened(path: Path, *, width: int = 1200, height: int = 900) -> Page:
    """The file at `path`, open in a window of this size; skips the test where there is no browser."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    driver = _driver()
    driver.set_window_size(width, height)
    driver.get(path.absolute().as_uri())
    return Page(driver)


def main(page: str, picture: str, width: str = "1200") -> None:
    """Saves the whole of `page`, in a window of this width, as a PNG."""
    seen = opened(Path(page), width=int(width))
    seen.driver.set_window_size(int(width), seen.run(SIZE)[1] + 150)  # more than the window's own frame
    seen.driver.save_screenshot(picture)
    print("\n".join(seen.complaints() + seen.unreadable()))


if __name__ == "__main__":
    main(*sys.argv[1:])
