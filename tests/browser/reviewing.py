"""A reviewer's hands: which keys say what, as the legend on the page shows them."""

from collections.abc import Sequence

from playwright.sync_api import Page, expect

LEGEND = """() => Object.fromEntries([...document.querySelectorAll('.legend [data-joint] .key')].map(
  (key) => [key.dataset.key, [key.closest('[data-joint]').dataset.joint, key.dataset.letter].filter(Boolean)]))"""


def keys_of(page: Page) -> dict[str, list[str]]:
    """The keys of each class."""
    found: dict[str, list[str]] = page.evaluate(LEGEND)
    return found


def shown(page: Page) -> str:
    """The instance whose picture is shown."""
    return page.locator("#picture").get_attribute("data-instance") or ""


def queue_of(page: Page) -> list[dict[str, str]]:
    """The pictures of the sitting, as the page has them."""
    found: list[dict[str, str]] = page.evaluate("() => JSON.parse(document.getElementById('room').dataset.items)")
    return found


def press(page: Page, keys: Sequence[str]) -> None:
    for key in keys:
        page.keyboard.press(key)


def expect_progress(page: Page, text: str) -> None:
    """All that was said is saved, and this is the count."""
    expect(page.locator("#progress")).to_have_text(text, timeout=120_000)
