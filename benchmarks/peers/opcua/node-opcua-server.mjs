// node-opcua-server as its documentation starts it, with one username and password, and variables to read and write.
import { OPCUAServer } from 'node-opcua-server'
import { OPCUACertificateManager } from 'node-opcua-certificate-manager'
import { DataType } from 'node-opcua-variant'

const { FOLDER, HOST, PORT, OPCUA_USERNAME, OPCUA_PASSWORD, VARIABLES } = process.env
const MANY = 5_000

const serverCertificateManager = new OPCUACertificateManager({
  rootFolder: FOLDER,
  automaticallyAcceptUnknownCertificate: true,
})
await serverCertificateManager.initialize()
const server = new OPCUAServer({
  host: HOST,
  hostname: HOST,
  port: Number(PORT),
  serverCertificateManager,
  allowAnonymous: false,
  userManager: { isValidUser: (username, password) => username === OPCUA_USERNAME && password === OPCUA_PASSWORD },
  maxConnectionsPerEndpoint: MANY,
  serverCapabilities: { maxSessions: MANY },
})
await server.initialize()
const space = server.engine.addressSpace
const namespace = space.getOwnNamespace()
const folder = namespace.addFolder(space.rootFolder.objects, { browseName: OPCUA_USERNAME })
for (let number = 0; number < Number(VARIABLES); number++) {
  namespace.addVariable({
    componentOf: folder,
    browseName: `v${number}`,
    nodeId: `s=${OPCUA_USERNAME}/v${number}`,
    dataType: DataType.Double,
    minimumSamplingInterval: 0,
    value: { dataType: DataType.Double, value: 0 },
  })
}
await server.start()
console.log(`node-opcua-server is ready, namespace ${namespace.index}`)
process.on('SIGTERM', () => process.exit(0))
