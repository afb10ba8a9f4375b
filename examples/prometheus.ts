// Prometheus: the metrics join those that the application has already, and go out by the same path.
import { createServer, type Server } from 'node:http'
import client from 'prom-client'
import { prometheus } from '../adapters/prometheus.js'
import type { Cutover } from '../src/index.js'

export function serveMetrics(cutover: Cutover, port: number): Server {
  const stop = prometheus(cutover, client)
  const server = createServer((_, response) => {
    client.register.metrics().then(
      (text) => response.setHeader('content-type', client.register.contentType).end(text),
      () => response.writeHead(500).end(),
    )
  })
  server.on('close', stop)
  return server.listen(port, '127.0.0.1')
}
