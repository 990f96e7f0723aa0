// aedes as its documentation starts it, with one username and password; queues and persistence are in memory.
import { createServer } from 'node:net'
import { Aedes } from 'aedes'

const { HOST, PORT, MQTT_USERNAME, MQTT_PASSWORD } = process.env

const broker = await Aedes.createBroker()
broker.authenticate = (client, username, password, done) =>
  done(null, username === MQTT_USERNAME && password?.toString() === MQTT_PASSWORD)

const server = createServer({ noDelay: true }, broker.handle)
server.listen({ port: Number(PORT), host: HOST, backlog: 2048 })
process.on('SIGTERM', () => process.exit(0))
