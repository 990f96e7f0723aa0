"""What Gatehouse is measured beside: Mosquitto, aedes, amqtt, node-opcua-server and RabbitMQ."""
