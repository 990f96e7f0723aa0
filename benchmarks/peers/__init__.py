"""The brokers that Gatehouse is measured beside: Mosquitto, aedes and amqtt."""
