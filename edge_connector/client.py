"""paho's client, with what it forgets between two attempts to connect put right."""

from __future__ import annotations

import paho.mqtt.client as paho
from paho.mqtt.enums import MessageState


class Client(paho.Client):
    """Sends no PUBLISH again whose PUBREL has been sent, however many attempts it takes [MQTT5-4.3.3-6].

    Each attempt of paho's has messages that wait for a PUBCOMP send their PUBREL again, and an attempt after one that
    failed takes them for such that were never sent.
    """

    def _messages_reconnect_reset_out(self) -> None:
        with self._out_message_mutex:
            for message in self._out_messages.values():
                if message.state == MessageState.MQTT_MS_RESEND_PUBREL:
                    message.state = MessageState.MQTT_MS_WAIT_FOR_PUBCOMP
        super()._messages_reconnect_reset_out()
