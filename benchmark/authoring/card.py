"""The card of a submitted row: its authors, paper, code, compute and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from benchmark.core.yaml_files import content_of, refusals
from benchmark.errors import BadInput
from benchmark.records.marks import Line, Link

TEMPLATE = """\
# What reviewers and readers should know about a row; fill in every field.
method: {method}
authors: []  # a list of names, each with an affiliation if you like
paper:       # a link, or none
code:        # a link to the method's code
compute:     # what the runs took, as: two CPU cores, 25 minutes
division:    # weights if the weights were changed, guardrail if prompts or answers are filtered
data:        # what was used beyond the request, as: a public refusal data set; or none
"""


def _is_link(text: str) -> bool:
    try:
        return bool(TypeAdapter(Link).validate_python(text))
    except ValidationError:
        return False


def _link(text: str) -> str:
    if not _is_link(text):
        raise ValueError("should be a link that starts with https://")
    return text


def _link_or_none(text: str) -> str:
    if text != "none" and not _is_link(text):
        raise ValueError("should be none, or a link that starts with https://")
    return text


class Card(BaseModel):
    """The authors' description of a submission; `division` must match that of the records."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    method: str
    authors: list[Line] = Field(min_length=1)
    paper: Annotated[str, AfterValidator(_link_or_none)]
    code: Annotated[str, AfterValidator(_link)]
    compute: Line
    division: Literal["weights", "guardrail"]
    data: Line

    @property
    def names(self) -> str:
        return ", ".join(self.authors)


def write_template(path: Path, method: str) -> None:
    path.write_text(TEMPLATE.format(method=method))


def card_in(path: Path, method: str) -> tuple[Card | None, list[str]]:
    """Returns a method's card, or one line for each missing or wrong field; BadInput if the file
    cannot be read or is not a mapping.
    """
    content = content_of(path)
    if not isinstance(content, dict):
        raise BadInput(f"{path}: not a card, which has a line for each field")
    try:
        card = Card.model_validate({k: v for k, v in content.items() if v not in (None, "", [])})
    except ValidationError as error:
        return None, refusals(path, error)
    if card.method != method:
        return None, [f"{path}: method: is {card.method}, but {method} is submitted"]
    return card, []
