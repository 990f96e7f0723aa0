"""What an activity row says to a person."""

from __future__ import annotations

from dataclasses import dataclass

from portal.models import Activity


@dataclass(frozen=True, slots=True)
class Wording:
    """How one kind of activity is shown; `text` may name {kind} and {detail}."""

    icon: str
    tone: str  # "good", "bad" or "plain"
    group: str  # "logins", "refused" or "changes"
    text: str


WORDINGS = {
    "login.accepted": Wording("box-arrow-in-right", "good", "logins", "logged in"),
    "login.refused": Wording("shield-x", "bad", "refused", "refused: {detail}"),
    "connection.cut": Wording("scissors", "bad", "logins", "cut off: {detail}"),
    "ban.begun": Wording("slash-circle", "bad", "refused", "{detail}"),
    "ban.lifted": Wording("shield-check", "plain", "changes", "ban of {detail} lifted"),
    "integration.created": Wording("plus-lg", "plain", "changes", "added"),
    "integration.renamed": Wording("pencil", "plain", "changes", "renamed, {detail}"),
    "integration.password-changed": Wording("key", "plain", "changes", "password changed"),
    "integration.password-shown": Wording("eye", "plain", "changes", "password shown"),
    "integration.note-changed": Wording("pencil", "plain", "changes", "note changed"),
    "integration.domain-changed": Wording("code-square", "plain", "changes", "VRPC domain changed: {detail}"),
    "integration.permissions-changed": Wording("signpost-split", "plain", "changes", "permissions changed, {detail}"),
    "integration.disconnected": Wording("scissors", "plain", "changes", "disconnected, {detail}"),
    "integration.session-forgotten": Wording("trash3", "bad", "changes", "stored session forgotten, {detail}"),
    "integration.activated": Wording("unlock", "good", "changes", "activated"),
    "integration.deactivated": Wording("lock", "bad", "changes", "deactivated"),
    "integration.deleted": Wording("trash3", "bad", "changes", "deleted"),
    "ban.set": Wording("slash-circle", "bad", "changes", "{detail}"),
    "onboarding.opened": Wording("door-open", "plain", "changes", "smart onboarding opened {detail}"),
    "onboarding.extended": Wording("door-open", "plain", "changes", "smart onboarding extended {detail}"),
    "onboarding.closed": Wording("door-closed", "plain", "changes", "smart onboarding closed"),
    "onboarding.approved": Wording("person-check", "good", "changes", "let in by smart onboarding: {detail}"),
    "onboarding.ignored": Wording("person-x", "plain", "changes", "onboarding request ignored: {detail}"),
    "onboarding.ignored-for-good": Wording("person-x", "bad", "changes", "ignored for good: {detail}"),
    "onboarding.heard-again": Wording("person-plus", "plain", "changes", "not ignored any more: {detail}"),
    "onboarding.password-accepted": Wording("key", "good", "changes", "new password accepted: {detail}"),
    "switch.on": Wording("toggle-on", "plain", "changes", "switched on: {detail}"),
    "switch.off": Wording("toggle-off", "plain", "changes", "switched off: {detail}"),
    "certificate.renewed": Wording("arrow-repeat", "plain", "changes", "server certificate renewed, {detail}"),
    "certificate.trusted": Wording("patch-check", "good", "changes", "client certificate trusted, {detail}"),
    "certificate.distrusted": Wording(
        "patch-minus", "bad", "changes", "client certificate not trusted any more, {detail}"
    ),
    "certificate.deleted": Wording("trash3", "plain", "changes", "client certificate deleted, {detail}"),
    "node.created": Wording("plus-lg", "plain", "changes", "node {detail} created"),
    "node.deleted": Wording("trash3", "bad", "changes", "node {detail} deleted"),
    "topic.published": Wording("send", "plain", "changes", "published to {detail}"),
    "topic.deleted": Wording("trash3", "bad", "changes", "value of {detail} deleted"),
    "agent.called": Wording("play", "plain", "changes", "called {detail}"),
    "agent.instance-created": Wording("plus-lg", "plain", "changes", "instance {detail} created"),
    "agent.instance-deleted": Wording("trash3", "bad", "changes", "instance {detail} deleted"),
    "agent.handed-over": Wording("arrow-left-right", "plain", "changes", "was given the agent {detail}"),
    "agent.removed": Wording("trash3", "bad", "changes", "agent {detail} removed"),
    "edge.created": Wording("router", "plain", "changes", "Edge Connector created"),
    "edge.downloaded": Wording("download", "plain", "changes", "downloaded, with its password"),
    "edge.feed-set": Wording("broadcast", "plain", "changes", "was sent the poll or watch {detail}"),
    "edge.feed-removed": Wording("trash3", "plain", "changes", "was told to end the poll or watch {detail}"),
    "edge.restarted": Wording("arrow-clockwise", "plain", "changes", "was told to restart"),
    "edge.updated": Wording("arrow-up-circle", "plain", "changes", "was sent the update to {detail}"),
    "edge.joined": Wording("router", "good", "changes", "joined its fleet"),
    "edge.removed": Wording("trash3", "bad", "changes", "Edge Connector removed"),
    "edge.fleet-created": Wording("collection", "plain", "changes", "fleet {detail} created"),
    "edge.fleet-downloaded": Wording("download", "plain", "changes", "fleet {detail} downloaded"),
    "edge.fleet-opened": Wording("door-open", "plain", "changes", "fleet {detail} opened to new members"),
    "edge.fleet-closed": Wording("door-closed", "plain", "changes", "fleet {detail} closed to new members"),
    "edge.fleet-deleted": Wording("trash3", "bad", "changes", "fleet {detail} deleted; its members stay"),
    "account.created": Wording("person-plus", "plain", "changes", "account {detail} added"),
    "account.password-changed": Wording("key", "plain", "changes", "password of {detail} changed"),
    "account.login": Wording("person-check", "good", "logins", "logged in to the portal"),
    "account.refused": Wording("person-x", "bad", "refused", "refused at the portal"),
}
UNKNOWN = Wording("dot", "plain", "changes", "{kind}")  # from a newer release: shown as it is
GROUPS = {
    group: [kind for kind, wording in WORDINGS.items() if wording.group == group]
    for group in ("logins", "refused", "changes")
}


def of(row: Activity) -> Wording:
    """Return the wording of a row."""
    return WORDINGS.get(row.kind, UNKNOWN)


def sentence(row: Activity) -> str:
    """Return what happened, without who and when."""
    return of(row).text.replace("{kind}", row.kind).replace("{detail}", row.detail)
