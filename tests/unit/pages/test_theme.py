"""The theme can be read, dark and light, and nothing in a page is there for scripts or styles in line."""

import re
from pathlib import Path

import pytest

import workers.pages

ROOM = Path(workers.pages.__file__).parent
THEME = (ROOM / "static" / "theme.css").read_text()
#: WCAG 2.2, AA: of text, and of what borders a control.
TEXT, BORDER = 4.5, 3.0


def colours(part: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part))


DARK, LIGHT = (colours(part) for part in THEME.split("@media (prefers-color-scheme: light)"))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2), 0..1."""
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_every_text_and_every_border_of_a_control_stands_out(theme: dict[str, str]) -> None:
    for ground in ("ground", "raised"):
        for ink in ("ink", "faint", "accent", "wrong"):
            assert contrast(theme[ink], theme[ground]) >= TEXT, (ink, ground)
        assert contrast(theme["line"], theme[ground]) >= BORDER, ground
    assert contrast(theme["on-accent"], theme["accent"]) >= TEXT


def test_both_themes_have_the_same_colours_and_dark_is_dark() -> None:
    assert DARK.keys() == LIGHT.keys()
    assert luminance(DARK["ground"]) < 0.02 < 0.8 < luminance(LIGHT["ground"])
    assert set(re.findall(r"var\(--([a-z-]+)\)", THEME)) == DARK.keys()


@pytest.mark.parametrize("template", sorted((ROOM / "templates").iterdir()), ids=lambda path: path.name)
def test_a_page_has_no_style_and_no_script_in_line_and_nothing_from_elsewhere(template: Path) -> None:
    assert not re.search(
        r"<style|<script(?! src=\"/static/)|\sstyle=|\son[a-z]+=|javascript:|https?:", template.read_text()
    )
