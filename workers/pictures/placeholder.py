"""What stands in place of a picture that there is not: the reason in words, as SVG."""

from html import escape
from textwrap import wrap

__all__ = ["placeholder"]

WIDTH, HEIGHT, LINE = 192, 160, 18
#: Letters of a line, and lines.
LETTERS, LINES = 25, 7


def placeholder(reason: str) -> bytes:
    """An SVG file that says the reason. It has no style of its own, so that a strict policy shows it as it is."""
    lines = wrap(reason[:1].upper() + reason[1:], LETTERS, max_lines=LINES, placeholder=" …") or [""]
    top = (HEIGHT - LINE * (len(lines) - 1)) / 2
    texts = "".join(
        f'<text x="{WIDTH // 2}" y="{top + LINE * number:g}">{escape(line)}</text>' for number, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f"<title>{escape(reason)}</title>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#1d2228"/>'
        f'<g fill="#d5dbe2" font-family="sans-serif" font-size="13" text-anchor="middle">{texts}</g></svg>'
    ).encode()
