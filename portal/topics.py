"""Topics and their values as the portal's pages show them: the tree, a search, one topic; publishing and deleting.

All is asked of the hub in the protocols worker, and raises `worker_client.Silent` where that does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal import activity, clock, telling
from portal.db import writing
from portal.fields import FieldError
from portal.hub import Child, Topics, Value
from portal.integrations import Actor
from portal.plot import Plot, draw
from portal.telling import Told
from portal.worker_client import Refused

PAGE = 100  # rows, or in the tree levels below the same one
MOST = 200  # rows of a tree in which levels are open
EXCERPT = 256  # bytes of a value in a row
SHOWN = 64 * 1024  # bytes of the value of a topic that is looked at
TEXT = 4_000  # characters of it
DUMPED = 512  # bytes of it, if it is binary
LARGEST = 12 * 1024 * 1024  # bytes of a value that is handed out; an answer has room for 16 MiB
RECENT = 100  # values in a topic's history
QUESTIONS = 25  # that one search asks, each of some thousand topics
TOPIC_BYTES = 65_535  # [MQTT-1.5.3]


@dataclass(frozen=True, slots=True)
class Row:
    """A level of the tree, or in a search a topic; with `rest` it stands for what does not fit below an open level."""

    depth: int
    name: str
    topic: str
    value: Value | None
    has_children: bool = False
    is_open: bool = False
    rest: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """What a page lists, and where to go on."""

    rows: tuple[Row, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """All that is shown of one topic."""

    topic: str
    value: Value | None
    told: Told | None
    history: tuple[Value, ...]  # the newest first
    plot: Plot | None

    @property
    def text(self) -> str:
        """Return the text, or the beginning of a long one."""
        return self.told.text[:TEXT] if self.told else ""

    @property
    def bytes(self) -> bytes:
        """Return the bytes, or the first ones of many."""
        return self.value.payload[:DUMPED] if self.value else b""

    @property
    def is_cut(self) -> bool:
        if self.value is None or self.told is None:
            return False
        return self.value.size > (DUMPED if self.told.kind == "Binary" else len(self.text.encode()))


def tree(at: str, opened: Sequence[str], cursor: str | None) -> Rows:
    """Return the levels below a prefix, and below each that is opened; prefixes but that of the root end with "/"."""
    found = Topics.children(at, cursor, PAGE, EXCERPT)
    rows: list[Row] = []
    _grow(rows, at, found.children, frozenset(opened), 0, MOST - len(found.children))
    return Rows(tuple(rows), found.cursor)


def _grow(
    rows: list[Row], prefix: str, children: Sequence[Child], opened: frozenset[str], depth: int, room: int
) -> int:
    """Add the levels of a prefix with what is below those that are opened, as far as there is room; return the rest."""
    for child in children:
        topic = prefix + child.level
        is_open = child.has_children and f"{topic}/" in opened
        rows.append(Row(depth, child.level, topic, child.value, child.has_children, is_open))
        if not is_open:
            continue
        below: Sequence[Child] = ()
        rest: str | None = ""
        if room > 0:
            found = Topics.children(f"{topic}/", None, min(PAGE, room), EXCERPT)
            below, rest = found.children, found.cursor
        room = _grow(rows, f"{topic}/", below, opened, depth + 1, room - len(below))
        if rest is not None:
            rows.append(Row(depth + 1, child.level, f"{topic}/", None, rest=rest))
    return room


def search(text: str, cursor: str | None) -> Rows:
    """Return the topics that contain a text and have a value."""
    rows: list[Row] = []
    for _ in range(QUESTIONS):
        page = Topics.find(text, cursor, PAGE - len(rows), EXCERPT)
        rows += [Row(0, value.topic, value.topic, value) for value in page.values]
        cursor = page.cursor
        if cursor is None or len(rows) == PAGE:
            break
    return Rows(tuple(rows), cursor)


def look(topic: str) -> Look:
    """Return what there is to show of a topic."""
    value = Topics.get(topic, SHOWN)
    history = Topics.history(topic, RECENT, EXCERPT)
    told = None if value is None else tell(value)
    numbers = [(one.time, number) for one in history if (number := tell(one).number) is not None]
    return Look(topic, value, told, tuple(reversed(history)), draw(numbers))


def tell(value: Value) -> Told:
    """Say what a value is."""
    return telling.tell(value.payload, is_whole=value.size == len(value.payload))


def whole(topic: str) -> Value | None:
    """Return a topic's value with all of its bytes.  Raises `Refused` for one that is too large for that."""
    found = Topics.get(topic, EXCERPT)
    if found is None or found.size == len(found.payload):
        return found
    if found.size > LARGEST:
        raise Refused("The value is too large to be handed out here. Read it with an MQTT client.")
    return Topics.get(topic, LARGEST)


def spelled(beginning: str, digest: bytes) -> str | None:
    """Return the topic that begins like this and has this digest."""
    cursor: str | None = None
    for _ in range(QUESTIONS):
        topic, cursor = Topics.spelled(beginning, digest, cursor)
        if topic is not None or cursor is None:
            return topic
    return None


def publish(actor: Actor, topic: str, text: str, qos: str, *, retain: bool) -> None:
    """Publish a text on behalf of an account.  Raises `FieldError`."""
    if fault := _fault(topic):
        raise FieldError("topic", fault)
    if qos not in ("0", "1", "2"):
        raise FieldError("qos", "QoS is 0, 1 or 2.")
    payload = text.replace("\r\n", "\n").encode("utf-8", "replace")
    try:
        Topics.publish(topic, payload, int(qos), retain)
    except Refused as error:
        field = "topic" if error.field.rpartition("/")[2] == "topic" else "form"
        raise FieldError(field, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    how = f" with QoS {qos}{', retained' if retain else ''}"
    _record("topic.published", actor, topic, how)


def delete(actor: Actor, topic: str) -> bool:
    """Delete the value of a topic on behalf of an account; return whether there was one.  Raises `Refused`."""
    if not Topics.delete(topic):
        return False
    _record("topic.deleted", actor, topic)
    return True


def _fault(topic: str) -> str:
    """Say in words what keeps a text from being a topic that a person may publish to."""
    if not topic:
        return "A topic is required, such as plant/line1/temperature."
    if "+" in topic or "#" in topic:
        return "A topic cannot hold + or #: these stand for other topics, where a client subscribes."
    if "\0" in topic:
        return "A topic cannot hold the character U+0000."
    if topic.startswith("$"):
        return "Topics that begin with $ are the server's own."
    size = len(topic.encode("utf-8", "replace"))
    return f"A topic has at most {TOPIC_BYTES:,} bytes, not {size:,}." if size > TOPIC_BYTES else ""


def _record(kind: str, actor: Actor, topic: str, how: str = "") -> None:
    text = telling.shown(topic)
    room = activity.MAX_TEXT - len(how)
    detail = f"{text if len(text) <= room else f'{text[: room - 1]}…'}{how}"
    with writing():
        activity.record(kind, clock.now(), account=actor.name, address=actor.address, detail=detail)
