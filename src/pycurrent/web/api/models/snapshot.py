"""The diagram of the pipeline, as data."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field

from pycurrent.service import Snapshot
from pycurrent.web.api.models.model import Model, Text
from pycurrent.web.api.models.pipeline import StatsModel
from pycurrent.web.api.names import (
    ActivityName,
    EdgeKindName,
    GroupKindName,
    HoldName,
    NodeKindName,
    StateName,
)


class FoldModel(Model):
    """The key and value that unfold it: `?unfold=key:value`."""

    key: Text
    value: Text


class FailedInsideModel(Model):
    """The failures that a fold hides, those included that are caught within it."""

    stages: int = Field(description="How many stages have failed.")
    failure: Text = Field(description="The message of one of them.")


class InsideModel(Model):
    """The items and stages that a closed list hides."""

    items: int
    stages: StatsModel = Field(description="The living stages for these items, by their states.")


class NodeModel(Model):
    """A box of the diagram. Fields that do not apply are left out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: Text = Field(
        description=(
            "The same from run to run: of a living stage its path; of anything else a text with a"
            " name in it that begins with `%` and no escape, such as `web/%list:packages`."
        )
    )
    kind: NodeKindName
    label: Text
    path: Text | None = Field(
        default=None, description="Of a living stage: its name, the same from run to run."
    )
    labels: dict[str, Text] | None = Field(
        default=None, description="Of a living stage: by what it is found, such as repo=web."
    )
    state: StateName | None = Field(default=None, description="A junction has none.")
    group: Text | None = None
    update: ActivityName | None = None
    job_id: str | None = None
    failure: Text | None = None
    fold: FoldModel | None = None
    failed_inside: FailedInsideModel | None = Field(
        default=None, description="Only of a fold or a closed list in which a stage has failed."
    )
    inside: InsideModel | None = Field(default=None, description="Only of a closed list.")
    note: Text | None = Field(
        default=None,
        description="A note on a stage for people: that it is pinned, or why it waits.",
    )
    hold: HoldName | None = Field(
        default=None, description="Whether people have pinned or paused the stage: see its note."
    )


class EdgeModel(Model):
    """The target waits for the source. Both are places in `nodes`, from 0: the ids are long."""

    source: int
    target: int
    kind: EdgeKindName


class GroupModel(Model):
    """A box around nodes and other groups."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    id: Text = Field(description="Of a list: that of its box while it is closed.")
    kind: GroupKindName
    label: Text
    parent: Text | None = None


class SnapshotModel(Model):
    """The diagram."""

    version: int = Field(description="Changes with the structure.")
    last_event: str = Field(description="The value of `after` for the events.")
    stats: StatsModel
    nodes: list[NodeModel] = Field(description="Each after those that it waits for.")
    edges: list[EdgeModel]
    groups: list[GroupModel] = Field(description="Each after those around it.")

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        graph = snapshot.graph
        places = {node.id: place for place, node in enumerate(graph.nodes)}
        return cls.model_validate(
            {
                "version": snapshot.version,
                "last_event": str(snapshot.last_event),
                "stats": snapshot.stats,
                "nodes": graph.nodes,
                "edges": [
                    EdgeModel(source=places[e.source], target=places[e.target], kind=e.kind)
                    for e in graph.edges
                ],
                "groups": graph.groups,
            }
        )


class NodeStateModel(Model):
    """How a box of the diagram is now."""

    state: StateName
    update: ActivityName | None
    job_id: str | None
    failure: Text | None
    failed_inside: FailedInsideModel | None
    inside: InsideModel | None
    note: Text | None
    hold: HoldName | None
