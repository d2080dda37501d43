"""A reviewer's hands: which keys say what, as the legend on the page shows them, and how soon a picture comes."""

from collections.abc import Callable, Sequence
from statistics import median

from playwright.sync_api import Page, expect

LEGEND = """() => Object.fromEntries([...document.querySelectorAll('.legend [data-joint] .key')].map(
  (key) => [key.dataset.key, [key.closest('[data-joint]').dataset.joint, key.dataset.letter].filter(Boolean)]))"""

#: Milliseconds between two keys of a reviewer.
PACE = 500
#: What a browser complains of while the gateway is away.
AWAY = "ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED"
#: Notes how long it takes from each key until the next picture has been decoded and painted.
WATCH = """() => {
  let pressed = 0;
  window.paces = [];
  addEventListener('keydown', () => { pressed = performance.now(); }, true);
  new MutationObserver(async () => {
    const from = pressed, image = document.querySelector('#picture img');
    try { await image.decode(); } catch { return; }
    requestAnimationFrame(() => requestAnimationFrame(() => window.paces.push(performance.now() - from)));
  }).observe(document.getElementById('picture'), { childList: true });
}"""


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


def accept_all(page: Page, before: Callable[[int], object]) -> list[float]:
    """Accept every suggestion of the sitting; milliseconds from each key to the next picture.

    ``before``: called with the number of each picture, from 0, before its key.
    """
    page.wait_for_load_state("networkidle")
    page.evaluate(WATCH)
    for number, item in enumerate(queue_of(page)):
        before(number)
        assert shown(page) == item["instance"]
        press(page, [" "])
        page.wait_for_timeout(PACE)  # the reviewer's own pace, not a wait for something to happen
    found: list[float] = page.evaluate("() => window.paces")
    return found


def told(paces: Sequence[float]) -> str:
    """Median and maximum."""
    return f"median {median(paces):.0f} ms, maximum {max(paces):.0f} ms, of {len(paces)} pictures"
