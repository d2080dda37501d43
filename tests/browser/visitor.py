"""A person in front of a real Chromium, who notices what a browser complains of."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from tests.access_site import PASSWORD

#: Debian's; the browsers that playwright would fetch are not needed.
CHROMIUM = "/usr/bin/chromium"
#: axe-core 4.12.1, as axe-playwright-python 0.1.8 brings it.
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
AXE_SHA256 = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Visitor:
    """One person in a browser context of their own. ``expected``: complaints that a test provokes on purpose."""

    context: BrowserContext
    url: str
    expected: str = ""
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script failed: {error}"))
        self.page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} {message.location.get('url', '')}")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).scheme != "data" and not request.url.startswith(self.url + "/"):
            self.complaints.append(f"asked another host: {request.url}")

    def sign_in(self, name: str, target: str = "/") -> None:
        """By the keyboard alone."""
        self.page.goto(f"{self.url}/login?next={target}")
        expect(self.page.get_by_label("Name")).to_be_focused()
        self.page.keyboard.type(name)
        self.page.keyboard.press("Tab")
        expect(self.page.get_by_label("Password")).to_be_focused()
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.url}{target}")

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def violations(self) -> list[str]:
        """What axe finds wrong with the page as it is."""
        script = AXE.read_bytes()
        assert hashlib.sha256(script).hexdigest() == AXE_SHA256, "another axe-core than the one that was looked at"
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(script.decode())
        options = {"runOnly": {"type": "tag", "values": RULES}}
        found: dict[str, Any] = self.page.evaluate("options => axe.run(document, options)", options)
        return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]

    def leave(self) -> None:
        """Close the browser; AssertionError if it complained of something unexpected."""
        self.page.close(run_before_unload=False)
        self.context.close()
        unexpected = [each for each in self.complaints if not (self.expected and re.search(self.expected, each))]
        assert not unexpected, unexpected


def visitor(browser: Browser, url: str, **options: Any) -> Visitor:
    """``options``: of the browser's context."""
    return Visitor(browser.new_context(viewport={"width": 1280, "height": 800}, **options), url)
