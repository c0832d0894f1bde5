/**
 * A server of known latencies, as a process: it takes every request for a credit and answers after a time that was drawn
 * beforehand, so that nothing but who asks it can be the reason of a difference. `node test/support/steadyServer.ts` says
 * its port on standard output.
 */
import * as Http from "node:http"
import type * as Net from "node:net"

const now = "2026-01-01T00:00:00.000Z"

const answer = JSON.stringify({
  wallet: { id: "w", ownerId: "o", currency: "EUR", status: "active", balance: "1", held: "0", version: 1 },
  transaction: { id: "t", walletId: "w", type: "credit", amount: "1", version: 1, createdAt: now, effectiveAt: now },
  durability: { committed: true, persisted: true, indexed: true }
})

/** A linear congruential generator: the same draws in every run. */
let state = 1
const draw = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647

/** Milliseconds, from 3 on: half of them within 7, one in a hundred beyond 30. */
const latency = (): number => 3 - 6 * Math.log(draw())

const server = Http.createServer((request, response) => {
  request.resume().on("end", () => {
    setTimeout(() => {
      response.writeHead(201, { "content-type": "application/json", "content-length": answer.length }).end(answer)
    }, latency())
  })
})

// Who asks with pauses between finds its connection again.
server.keepAliveTimeout = 120_000

server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as Net.AddressInfo).port}\n`)
})
