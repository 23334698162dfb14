"""Which stage of the pipeline each appointment type would lead to, and which one may be meant where none has its name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.api.opportunities import Pipeline

_ALIKE = 0.7


def stages(types: Iterable[Mapping[str, Any]], pipeline: Pipeline | None) -> list[dict[str, Any]]:
    """Return each appointment type with its stage, or with a stage to be confirmed; nothing where no pipeline is set.

    Stages are told by their exact name, so that one which may be meant has to be renamed in HighLevel.
    """
    if pipeline is None:
        return []
    folded = {" ".join(name.casefold().split()): name for name in pipeline.stages}
    found = []
    for item in types:
        name = str(item["name"])
        close = get_close_matches(" ".join(name.casefold().split()), folded, n=1, cutoff=_ALIKE)
        there = name if name in pipeline.stages else None
        suggested = folded[close[0]] if close and not there else None
        found.append({"source": item["source"], "name": name, "stage": there, "suggested": suggested})
    return found
