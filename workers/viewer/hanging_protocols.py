"""Hanging protocols for OHIF, as plain data: grids, and which picture belongs into which viewport of them.

The script `app-config.js` says of each picture where its place is, by `picture_table`: in which row, one for each joint
and side, and in which column, from AP on the left to lateral on the right. With a relevant prior, its picture of the
same view has the same place in a second set of viewports.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mskmodel.labels import Label, known_labels

__all__ = [
    "MOST_COLUMNS",
    "MOST_COLUMNS_COMPARED",
    "MOST_ROWS",
    "MOST_ROWS_COMPARED",
    "hanging_protocols",
    "picture_table",
    "side_codes",
]

Json = dict[str, Any]
#: Of viewports, line by line.
Places = list[list[str]]

#: Most rows and columns of a grid: a joint and side each, and a view each.
MOST_ROWS, MOST_COLUMNS = 4, 4
#: The same beside a prior, which doubles the viewports.
MOST_ROWS_COMPARED, MOST_COLUMNS_COMPARED = 2, 4
LEFT, MIDDLE, RIGHT = 0, 1, 2
FIRST, LAST = "ap", "lateral"


def picture_table() -> list[Json]:
    """What the attributes of an image say that it shows: a row for each label that names a region.

    ``column``: `LEFT` for AP, `RIGHT` for lateral; where a region has no lateral view, the one that
    the table names after AP.
    """
    labels = [label for label in known_labels().values() if label.region]
    views: dict[str, list[str]] = {}
    for label in labels:
        if label.view and label.view not in views.setdefault(label.region, []):
            views[label.region].append(label.view)
    return [
        {
            "region": label.region,
            "view": label.view,
            "column": _column(label, views.get(label.region, [])),
            "bodyPart": label.body_part,
            "anatomy": _code(label.anatomy),
            "viewPosition": label.view_position if label.view else "",
            "viewCode": _code(label.view_code),
        }
        for label in labels
    ]


def side_codes() -> dict[str, str]:
    """The side that a modifier of the anatomic region means (CID 244)."""
    sides = {"R": codes.cid244.Right, "L": codes.cid244.Left, "B": codes.cid244.Bilateral}
    return {_code(code): side for side, code in sides.items()}


def hanging_protocols() -> list[Json]:
    """Every grid, with the current study alone and beside a prior, as OHIF's hanging protocol service takes them."""
    return [*_alone(), *_compared()]


def _alone() -> Iterator[Json]:
    for rows, columns in product(range(1, MOST_ROWS + 1), range(1, MOST_COLUMNS + 1)):
        yield _protocol(f"{rows}x{columns}", "Study", _lines("current", rows, columns))


def _compared() -> Iterator[Json]:
    """The prior's pictures below the current ones, or beside where there is a single one."""
    for rows, columns in product(range(1, MOST_ROWS_COMPARED + 1), range(1, MOST_COLUMNS_COMPARED + 1)):
        pairs = list(zip(_lines("current", rows, columns), _lines("prior", rows, columns), strict=True))
        beside = rows * columns == 1
        lines = [current + prior for current, prior in pairs] if beside else [line for pair in pairs for line in pair]
        yield _protocol(f"prior {rows}x{columns}", "Study and prior", lines)


def _lines(which: str, rows: int, columns: int) -> Places:
    """Joints that have a single picture each stand beside each other, as screens are wide."""
    places = [[f"{which} {row} {column}" for column in range(columns)] for row in range(rows)]
    return [[place for (place,) in places]] if columns == 1 else places


def _protocol(grid: str, name: str, places: Places) -> Json:
    """Which grid fits a study is its attribute `mskGrid`."""
    rows, columns = len(places), len(places[0])
    return {
        "id": f"msk {grid}",
        "name": f"{name}, {rows}x{columns}",
        "protocolMatchingRules": [_rule("mskGrid", grid)],
        "numberOfPriorsReferenced": int(grid.startswith("prior")),
        "toolGroupIds": ["default"],
        "displaySetSelectors": {
            place: {"seriesMatchingRules": [_rule("mskPlace", place)]} for row in places for place in row
        },
        "stages": [
            {
                "name": f"{rows}x{columns}",
                "viewportStructure": {"layoutType": "grid", "properties": {"rows": rows, "columns": columns}},
                "viewports": [_viewport(place) for row in places for place in row],
            }
        ],
    }


def _rule(attribute: str, value: str) -> Json:
    return {"attribute": attribute, "constraint": {"equals": {"value": value}}, "required": True, "weight": 10}


def _viewport(place: str) -> Json:
    options = {"viewportType": "stack", "toolGroupId": "default", "allowUnmatchedView": True}
    return {"viewportOptions": options, "displaySets": [{"id": place}]}


def _column(label: Label, views: list[str]) -> int:
    others = [view for view in views if view != FIRST]
    if label.view and label.view == (LAST if LAST in views else others[0] if others else ""):
        return RIGHT
    return LEFT if label.view in ("", FIRST) else MIDDLE


def _code(code: Code | None) -> str:
    return f"{code.scheme_designator}:{code.value}" if code else ""
