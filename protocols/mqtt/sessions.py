"""Every session of a broker: found, taken over, resumed, stored and ended.

A session belongs to an integration *and* a client identifier: a client of one integration can never take over,
resume or see a session of another, whatever client identifier it states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from protocols.contract import Grant
from protocols.mqtt.alarms import Alarms
from protocols.mqtt.backlog import Entry
from protocols.mqtt.common import Common
from protocols.mqtt.keeping import EXPIRES_NEVER, StoredSession, Will
from protocols.mqtt.packets import NOT_AUTHORIZED, SESSION_TAKEN_OVER
from protocols.mqtt.routes import Subscription
from protocols.mqtt.session import Session
from protocols.mqtt.subscriptions import Subscriptions
from protocols.vrpc.names import Identity

TAKEN_OVER = "taken over by a newer connection"


class Sessions:
    """The sessions by integration and client identifier.

    `redeliver` is called with messages that a session will not send any more, `publish_will` with a Will that is due.
    """

    def __init__(
        self,
        common: Common,
        subscriptions: Subscriptions,
        redeliver: Callable[[Iterable[Entry]], None],
        publish_will: Callable[[Session, Will], None],
    ) -> None:
        self._common = common
        self._subscriptions = subscriptions
        self._redeliver = redeliver
        self._publish_will = publish_will
        self._all: dict[int, dict[str, Session]] = {}
        self.expired = 0  # ever
        self._stored: Counter[int] = Counter()  # without a connection, by integration
        self._alarms = Alarms()

    def __iter__(self) -> Iterator[Session]:
        for sessions in list(self._all.values()):
            yield from list(sessions.values())

    def __len__(self) -> int:
        return sum(map(len, self._all.values()))

    def of(self, integration_id: int) -> list[Session]:
        """Return the sessions of an integration."""
        return list(self._all.get(integration_id, {}).values())

    def count(self, integration_id: int) -> int:
        """Return how many connections an integration has."""
        return len(self._all.get(integration_id, ())) - self._stored.get(integration_id, 0)

    @property
    def stored(self) -> int:
        """Return how many sessions have no connection."""
        return self._stored.total()

    def stored_of(self, integration_id: int) -> list[Session]:
        """Return the sessions of an integration that have no connection; who left last comes first."""
        return [session for session in reversed(self.of(integration_id)) if session.is_stored]

    # --- while a client comes in and goes

    def take_over(self, integration_id: int, client_id: str) -> None:
        """Close the connection that uses this session now [MQTT-3.1.4-2] [MQTT5-3.1.4-3]."""
        session = self._all.get(integration_id, {}).get(client_id)
        if session is not None and session.line is not None:
            session.line.link.close(TAKEN_OVER, code=SESSION_TAKEN_OVER)

    def has_other(self, integration_id: int, client_id: str) -> bool:
        """Say whether an integration has a connection with another client identifier."""
        found = self._all.get(integration_id, {}).values()
        return any(session.line is not None and session.client_id != client_id for session in found)

    def resume(
        self, grant: Grant, client_id: str, level: int, expiry: int, identity: Identity | None = None, *, clean: bool
    ) -> tuple[Session, bool]:
        """Return the session to use, and whether it was there already (session present)."""
        integration_id = grant.integration_id
        session = self._all.get(integration_id, {}).get(client_id)
        if session is not None and not self._is_alive(session):
            session = None
        if session is not None and clean:  # [MQTT-3.1.2-6] [MQTT5-3.1.2-4]
            self.drop(session)
            session = None
        if session is None:
            session = Session(self._common, grant, client_id, level, expiry, identity)
            self._all.setdefault(integration_id, {})[client_id] = session
            return session, False
        session.is_stored = False
        self._stored[integration_id] -= 1  # [MQTT-3.1.2-4] [MQTT5-3.1.2-5]
        session.ends_at = session.will = None  # [MQTT5-3.1.3-9] a Will that was delayed is not sent
        self.change_expiry(session, expiry)
        if session.level != level:
            session.level = level
            if session.subscriptions:
                self._subscriptions.forget_routes()
        if session.grant[2:] != grant[2:] or session.identity != identity:
            session.identity = identity
            self.permit(session, grant)
        session.grant = grant
        return session, True

    def change_expiry(self, session: Session, expiry: int) -> None:
        """Let a session last for another time from the end of its connection."""
        if session.expiry and not expiry:
            self._common.keeper.drop_session(session)
        session.expiry = expiry

    def leave(self, session: Session) -> None:
        """End a session's connection, and the session with it if it does not outlive that."""
        session.detach()
        if not session.expiry:  # [MQTT-3.1.2-6] [MQTT5-3.1.2-23]
            self.drop(session)
            return
        now, will = self._common.now, session.will
        session.left_at = now
        session.ends_at = None if session.expiry == EXPIRES_NEVER else now + session.expiry
        if will is not None and will.delay:
            will.due_at = now + will.delay
        else:
            session.will = None
        self._common.keeper.session(session)
        self._store(session)
        self._schedule(session)
        if will is not None and not will.delay:  # [MQTT-3.1.2-8] [MQTT5-3.1.2-8]
            self._publish_will(session, will)
        if session.identity is not None and session.is_narrow:
            # Of its domain nothing waits for it: meanwhile its name may be another's, whose requests are not for it.
            session.identity = None
            self.permit(session, session.grant)

    def drop(self, session: Session) -> None:
        """End a session; its Will is published now at the latest [MQTT5-3.1.3-9]."""
        for topic_filter, subscription in session.subscriptions.items():
            if not subscription.muted:
                self._subscriptions.remove(session, topic_filter)
        session.subscriptions.clear()
        sessions = self._all[session.integration_id]
        del sessions[session.client_id]
        if session.is_stored:
            session.is_stored = False
            self._stored[session.integration_id] -= 1
        if not sessions:
            del self._all[session.integration_id], self._stored[session.integration_id]
        if session.expiry:
            self._common.keeper.drop_session(session)
        will, session.will, session.ends_at = session.will, None, None
        self._alarms.cancel(session)
        self._redeliver(session.empty())
        if will is not None:
            self._publish_will(session, will)

    def _store(self, session: Session) -> None:
        """Keep a session without a connection, and drop the oldest one if there are too many."""
        integration_id = session.integration_id
        sessions = self._all[integration_id]
        sessions[session.client_id] = sessions.pop(session.client_id)  # the newest is the last
        session.is_stored = True
        self._stored[integration_id] += 1
        if self._stored[integration_id] > self._common.limits.stored_sessions:
            self._common.hits.add("stored_sessions")
            self.drop(next(other for other in sessions.values() if other.is_stored))

    # --- decisions of the portal

    def disconnect(self, integration_ids: Iterable[int], reason: str, *, forget: bool) -> None:
        """Close the connections of these integrations; `forget` also drops their sessions."""
        for integration_id in integration_ids:
            for session in self.of(integration_id):
                if session.line is not None:
                    session.line.link.close(reason, code=NOT_AUTHORIZED)
                if forget and session.is_stored:
                    session.will = None
                    self.drop(session)

    def permit(self, session: Session, grant: Grant) -> None:
        """Hold a session to other topics from now on.

        Subscriptions that are not permitted any more are muted: they deliver nothing until they are permitted again.
        """
        is_recorded = session.grant[:4] == grant[:4]  # what else there is comes with the grants at a start
        session.regrant(grant)
        for topic_filter, subscription in session.subscriptions.items():
            muted = not session.may_subscribe(topic_filter)
            if muted and not subscription.muted:
                self._subscriptions.remove(session, topic_filter)
            elif subscription.muted and not muted:
                self._subscriptions.add(session, subscription)
            subscription.muted = muted
        self._redeliver(session.withhold(cache(session.access.may_receive)))  # many may wait, of few topics
        if session.expiry and not is_recorded:
            self._common.keeper.session(session)

    # --- time

    def _schedule(self, session: Session) -> None:
        """Look at a session when it ends or its Will is due."""
        times = [session.ends_at, session.will.due_at if session.will is not None else None]
        due = min((time for time in times if time is not None), default=None)
        if due is not None:
            self._alarms.set(session, due)

    def sweep(self) -> None:
        """End the sessions whose time has come, and publish the Wills that are due."""
        while (session := self._alarms.pop(self._common.now)) is not None:
            if session.is_stored and self._is_alive(session):
                self._schedule(session)

    def _is_alive(self, session: Session) -> bool:
        """Do what is due for a session without a connection; return False if it has ended with that."""
        now, will = self._common.now, session.will
        if not session.is_stored:
            return True
        if session.ends_at is not None and session.ends_at <= now:  # [MQTT5-4.1.0-2]
            self.expired += 1
            self.drop(session)
            return False
        if will is not None and will.due_at is not None and will.due_at <= now:
            session.will = None
            self._common.keeper.session(session)
            self._publish_will(session, will)
        return True

    def restore(self, stored: StoredSession) -> None:
        """Take back a session that was recorded; one that had a connection has lost it now."""
        now = self._common.now
        grant = stored.grant._replace(closed=self._subscriptions.closed)
        session = Session(self._common, grant, stored.client_id, stored.level, stored.expiry)
        session.record = stored.record
        session.received = dict.fromkeys(stored.received)
        session.will, session.ends_at = stored.will, stored.ends_at
        if session.ends_at is None and session.expiry != EXPIRES_NEVER:
            session.ends_at = now + session.expiry
        if session.ends_at is not None:
            session.left_at = session.ends_at - session.expiry
        if session.will is not None and session.will.due_at is None:
            session.will.due_at = now + session.will.delay
        session.restore(stored.entries)
        for wanted, identifier in stored.subscriptions:
            subscription = session.subscriptions[wanted.topic_filter] = Subscription(wanted, identifier)
            subscription.muted = not session.may_subscribe(wanted.topic_filter)
            if not subscription.muted:
                self._subscriptions.add(session, subscription)
        self._all.setdefault(session.integration_id, {})[session.client_id] = session
        session.is_stored = True
        self._stored[session.integration_id] += 1
        self._schedule(session)
