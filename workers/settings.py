"""Settings: the environment, read once into a frozen object.

Pydantic, which FastAPI brings anyway, checks the values: a new setting is one line with its type. Pydantic-settings is
not used: it reads the process's own environment only, and a command may read that of a stack's state file.
"""

import base64
import logging
import os
import re
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from workers.broker_url import BrokerUrl
from workers.tls import Trust

if TYPE_CHECKING:
    from mskmodel.dicom.radiograph_kinds import RadiographKinds

__all__ = ["KEY_PREFIX", "InvalidSetting", "MissingSetting", "Settings", "radiograph_kinds"]

PREFIX = "MSK_"
#: What the names of Celery's keys and channels in the broker begin with, where the site does not say.
KEY_PREFIX = "msk-celery:"

log = logging.getLogger(__name__)


class MissingSetting(Exception):
    """An environment variable that the command needs is not set."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.name = name


class InvalidSetting(Exception):
    """An environment variable has a value that cannot be used. The message names no password."""

    def __init__(self, name: str, value: str | None, expected: str) -> None:
        """``value``: None for one that must not be shown."""
        shown = "cannot be used" if value is None else f"is {value!r}"
        super().__init__(f"the environment variable {name} {shown}, and should be {expected}")


def _http_address(url: str) -> str:
    """The address itself. Raises ValueError, as `urlsplit` does, where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError
    return url


def _broker_address(url: str) -> str:
    BrokerUrl.of(url)
    return url


def _webhook_secret(secret: str) -> str:
    """The secret itself, if the plugin in Orthanc takes it too. Raises ValueError."""
    if len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) < 24:  # the least for Standard Webhooks
        raise ValueError
    return secret


def _key_prefix(prefix: str) -> str:
    """The prefix itself: not below `msk:`, as the ledger's keys are; no wildcard, as channels are patterns."""
    if not re.fullmatch(r"(?!msk:)[A-Za-z0-9._:-]+", prefix):
        raise ValueError
    return prefix


def _certificates(file: Path) -> Path:
    """The file itself. Raises ValueError where it holds no certificates."""
    try:
        Trust(file).context()
    except OSError:
        raise ValueError from None
    return file


def _kinds(text: str) -> str:
    """The text itself. Raises ValueError where it is no list of kinds of radiographs."""
    from mskmodel.dicom.radiograph_kinds import RadiographKinds

    RadiographKinds.of(text)
    return text


def _own_labels(path: Path) -> Path:
    """The file itself. Raises InvalidSetting where it is no table of labels, with the lines that are wrong."""
    from mskmodel.labels import OWN_TABLE, own_labels
    from mskmodel.tables.problems import TableError

    try:
        own_labels(path)
    except TableError as error:
        raise InvalidSetting(OWN_TABLE, str(path), f"a table of labels: {error}") from None
    return path


def _own_neighbours(path: Path) -> Path:
    """The file itself. Raises InvalidSetting where it is no table of neighbours, with the lines that are wrong."""
    from mskmodel.priors.neighbours import OWN_NEIGHBOURS, own_neighbours
    from mskmodel.tables.problems import TableError

    try:
        own_neighbours(path)
    except TableError as error:
        raise InvalidSetting(OWN_NEIGHBOURS, str(path), f"a table of neighbours: {error}") from None
    return path


def _records_place(place: str) -> str:
    """The place itself: a folder, or the address of a PostgreSQL with the name of a database. Raises ValueError."""
    parts = urlsplit(place)
    if "://" in place and not (parts.scheme == "postgresql" and parts.path.strip("/") and parts.port != 0):
        raise ValueError
    return place


def _split(names: str) -> frozenset[str]:
    return frozenset(name.strip().casefold() for name in names.split(",")) - {""}


# A description ends the message about a value that cannot be used.
HttpAddress = Annotated[str, AfterValidator(_http_address), Field(description="an address like http://pacs:8042")]
BrokerAddress = Annotated[
    str, AfterValidator(_broker_address), Field(description="an address like redis://:password@broker:6379/0")
]
KeyPrefix = Annotated[
    str, AfterValidator(_key_prefix), Field(description=f"a prefix like {KEY_PREFIX} that does not begin with msk:")
]
CaFile = Annotated[Path, AfterValidator(_certificates)]
Switch = Annotated[bool, Field(description="true or false")]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False, description="a number of seconds above 0")]
Days = Annotated[int, Field(ge=0, description="a whole number of days, 0 for never")]
LabelsFile = Annotated[Path, AfterValidator(_own_labels)]
NeighboursFile = Annotated[Path, AfterValidator(_own_neighbours)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, description="a share from 0 to 1")]
Kinds = Annotated[str, AfterValidator(_kinds)]
RecordsPlace = Annotated[str, AfterValidator(_records_place)]
Senders = Annotated[frozenset[str], BeforeValidator(_split)]
Networks = Annotated[
    frozenset[IPv4Network | IPv6Network],
    BeforeValidator(_split),
    Field(description="addresses and networks like 10.0.0.5, 10.1.0.0/16"),
]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", description="the name of a header like X-Remote-User")]
RoleWord = Annotated[Literal["viewer", "reviewer", "admin"], Field(description="viewer, reviewer or admin")]
Hours = Annotated[float, Field(gt=0, le=24 * 366, allow_inf_nan=False, description="a number of hours above 0")]
WebhookSecret = Annotated[str, AfterValidator(_webhook_secret)]


class Settings(BaseModel):
    """What every process of the online side needs to know. Secrets are hidden in its repr and in messages."""

    model_config = ConfigDict(frozen=True, alias_generator=lambda field: PREFIX + field.upper())

    orthanc_url: HttpAddress
    orthanc_user: str
    orthanc_password: str = Field(repr=False)
    broker_url: BrokerAddress = Field(repr=False)
    key_prefix: KeyPrefix = KEY_PREFIX
    """What the names of Celery's keys and channels begin with, so that another application's are left alone."""
    ca_file: CaFile | None = Field(None, description="a readable file of certificates in PEM format")
    tls_verify: Switch = True
    webhook_secret: WebhookSecret | None = Field(
        None, repr=False, description="whsec_ and the base64 of 24 bytes or more"
    )
    api_token: str | None = Field(None, repr=False)
    """The machine's own token: whoever has it may use /api in anybody's name. None for no such token."""
    session_hours: Hours = 12.0
    """Hours after which people must sign in again."""
    trusted_proxies: Networks = frozenset()
    """Proxies before the gateway that are believed when they say for whom they ask, and whether by TLS."""
    user_header: HeaderName | None = None
    """Header in which a trusted proxy names the person that it has signed in; None where the site has none."""
    user_header_role: RoleWord | None = None
    """Role of such a person who has no account; None lets nobody in without one."""
    names_role: RoleWord = "admin"
    """The smallest role that may use what shows patients' names: DICOMweb and the viewer."""
    viewer: Path | None = None
    """Folder of OHIF's pages, as `msk viewer fetch` leaves them; None for the one in this environment."""
    gateway_url: HttpAddress | None = Field(None, description="an address like http://gateway:8000")
    """Of the gateway, for commands that say what instances show; None at a site without records."""
    models: Path | None = None
    """Folder of the model registry; None for the shipped model alone."""
    records: RecordsPlace | None = Field(
        None, repr=False, description="a folder, or an address like postgresql://user:password@host/msk"
    )
    """Where the records are, for the process that keeps them and for the gateway; others need none."""
    patient_issuer: str | None = None
    """Who issued the patients' numbers where a file names nobody, for the process that keeps the records."""
    device: str = "auto"
    sweep_seconds: Seconds = 15.0
    """Seconds between two sweeps over Orthanc's changes."""
    old_after_days: Days = 30
    """Days after which a study is old and gives way to new ones; 0 for never."""
    backfill_senders: Senders = frozenset()
    """Whoever sends an archive: AE titles, users of Orthanc and IP addresses, in lower case."""
    new_senders: Senders = frozenset()
    """Whoever sends old studies that are needed now, such as prefetched priors."""
    radiographs: Kinds | None = Field(None, description="a list like CR, DX, SC/CR, SC/DX, SC/RG")
    """What counts as a radiograph, as a list; None for `BY_DEFAULT`."""
    labels: LabelsFile | None = None
    """The site's own table of labels, which `mskmodel.labels` reads."""
    neighbours: NeighboursFile | None = None
    """The site's own table of neighbouring regions, which `mskmodel.priors.neighbours` reads."""
    none_labelled: Share | None = None
    """Of the images of none of the classes, at most this share may get a label from a version that a job makes; None
    for what the version before does."""
    labels_right: Share | None = None
    """Of the labels of such a version, at least this share is to be right; None for what the version before does."""
    evidence: Literal["all", "pixels"] = Field("all", description="all or pixels")
    """Whether labels follow header and study beside the pixels, or the pixels alone."""

    results: Literal["study"] | None = Field(None, description="study, or nothing")
    """Whether each study gets a report by itself; None for those alone that somebody asks for."""

    @property
    def kinds(self) -> "RadiographKinds":
        """What counts as a radiograph."""
        from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds

        return RadiographKinds.of(self.radiographs) if self.radiographs else BY_DEFAULT

    @property
    def trust(self) -> Trust:
        """Whose certificates are accepted, of Orthanc and of the broker."""
        return Trust(self.ca_file, self.tls_verify)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the MSK_* variables; an empty one counts as not set.

        Raises:
            MissingSetting: naming the first variable that has no value and no default.
            InvalidSetting: naming one whose value cannot be used.
        """
        try:
            settings = cls.model_validate({name: value for name, value in environment.items() if value})
            if not settings.tls_verify:
                _warn_of_strangers()
            return settings
        except ValidationError as error:
            first = error.errors()[0]
        # Not from the handler: pydantic's error, which a traceback would show, holds the values.
        name = str(first["loc"][0])
        if first["type"] == "missing":
            raise MissingSetting(name)
        field = cls.model_fields[name.removeprefix(PREFIX).lower()]
        value = first["input"].rpartition("@")[2].partition("?")[0] if field.repr else None
        raise InvalidSetting(name, value, str(field.description))


def radiograph_kinds(environment: Mapping[str, str] = os.environ) -> "RadiographKinds":
    """What counts as a radiograph, for a command that needs no other setting. Raises InvalidSetting."""
    from mskmodel.dicom.radiograph_kinds import BY_DEFAULT, RadiographKinds

    name = f"{PREFIX}RADIOGRAPHS"
    text = environment.get(name)
    try:
        return RadiographKinds.of(text) if text else BY_DEFAULT
    except ValueError:
        raise InvalidSetting(name, text, str(Settings.model_fields["radiographs"].description)) from None


@cache
def _warn_of_strangers() -> None:
    """Once in every process."""
    log.warning("tls-not-verified: MSK_TLS_VERIFY is false, so anybody may pose as Orthanc or as the broker")
