"""`msk evidence show`: what the headers say, and what that goes with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workers.terminal.options import json_option, state_option

if TYPE_CHECKING:
    from workers.settings import Settings

__all__ = ["show"]

#: Seconds for the broker's answer.
PATIENCE = 10.0
#: Regions or views that are shown of a term, and terms of a station.
MOST = 3


@click.command()
@state_option
@click.option("--words", is_flag=True, help="Also look up in Orthanc what the site's own codes stand for.")
@json_option
def show(state: Path | None, words: bool, as_json: bool) -> None:
    """Show which terms the headers' fields hold, how often, and with which region or view they go.

    A text that no table knows counts as a code of the site, #0123456789ab, if at least five patients carry it. The
    text itself is stored nowhere; --words reads it from the header of one of them.
    """
    from workers.broker.database import client
    from workers.evidence.published import Published
    from workers.evidence.summary import summary
    from workers.stack.discovery import find_settings

    settings = find_settings(state)
    broker = client(settings.broker_url, settings.trust, PATIENCE)
    publication = Published(broker).latest()
    found = summary(publication)
    texts = _texts(settings, broker, publication.examples) if words else {}
    if as_json:
        click.echo(json.dumps(found | ({"words": texts} if words else {})))
    else:
        _print(found, texts)


def _texts(settings: "Settings", broker: Any, examples: Mapping[str, str]) -> dict[str, str]:
    """By code, the text that it stands for, as far as Orthanc still holds it."""
    from workers.evidence.own_code import text_of
    from workers.evidence.secret import site_secret
    from workers.pacs import OrthancClient

    orthanc, secret = OrthancClient.of(settings), site_secret(broker)
    found = {code: text_of(code, orthanc, instance_id, secret) for code, instance_id in examples.items()}
    return {code: text for code, text in found.items() if text}


def _print(found: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    from rich.console import Console

    from mskmodel.judging.report import Table
    from workers.terminal.tables import on_screen

    if not found["fields"]:
        click.echo("nothing has been learned yet: what literature says of headers counts")
        return
    click.echo(f"from {found['radiographs']} radiographs, {found['time']}\n")
    terms = [row for field in found["fields"] for row in _term_rows(field, texts)]
    Console().print(on_screen(Table(("field", "of", "term", "seen", "goes with"), terms)))
    if stations := [row for field in found["fields"] for row in _station_rows(field)]:
        click.echo()
        Console().print(on_screen(Table(("station", "field", "of", "seen", "says"), stations)))


def _term_rows(field: Mapping[str, Any], texts: Mapping[str, str]) -> list[tuple[str, ...]]:
    """A row for the field, and one for each of its terms."""
    name, kind = field["field"], field["kind"]
    rows: list[tuple[str, ...]] = [(name, kind, "", str(field["seen"]), f"right: about {field['right']:.0%}")]
    for term in field["terms"]:
        example = f"; example: instance {term['example']}" if "example" in term else ""
        shown = f"{term['term']} ({texts[term['term']]})" if term["term"] in texts else term["term"]
        rows.append(("", "", shown, str(term["seen"]), _shares(term["goes_with"]) + example))
    return rows


def _station_rows(field: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each station that the field was told apart by."""
    return [
        (
            group["group"],
            field["field"],
            field["kind"],
            str(group["seen"]),
            "; ".join(f"{term['term']} {term['seen']}: {_shares(term['goes_with'])}" for term in group["terms"][:MOST]),
        )
        for group in field["groups"]
    ]


def _shares(goes_with: Mapping[str, float]) -> str:
    return ", ".join(f"{answer} {share:.0%}" for answer, share in list(goes_with.items())[:MOST])
