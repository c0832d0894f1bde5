import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { runHttpOpen } from "../../../bench/latency/HttpLatency.ts"
import { runOpen } from "../../../bench/latency/Arrivals.ts"

const rate = { perSecond: 1_000, rampMillis: 20, millis: 100 }

/** As many requests, over so long a time that a machine that is busy with something else gets them sent. */
const slowRate = { perSecond: 200, rampMillis: 100, millis: 500 }

interface Seen {
  readonly paths: Set<string>
  readonly keys: Set<string>
}

/** Answers 201 to all but every tenth. */
const listening = (seen: Seen) =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer((request, response) => {
        seen.paths.add(request.url ?? "")
        seen.keys.add(String(request.headers["key"]))
        request.resume()
        const text = "{}"
        response.writeHead(seen.keys.size % 10 === 0 ? 503 : 201, { "content-length": text.length })
        response.end(text)
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

describe("A load at a constant rate", () => {
  it.live("goes on through the library while nothing is answered, and counts refusals apart", () =>
    Effect.gen(function* () {
      let most = 0
      let waiting = 0
      const result = yield* runOpen(rate, (n) =>
        Effect.gen(function* () {
          most = Math.max(most, ++waiting)
          yield* Effect.sleep("20 millis")
          waiting--
          if (n % 4 === 0) return yield* Effect.fail("refused")
        })
      )
      assert.isAbove(most, 4)
      assert.strictEqual(result.unsent, 0)
      assert.strictEqual(result.refused, 25)
      assert.strictEqual(result.perSecond, 750)
      assert.isAtLeast(result.p50, 19)
    })
  )

  it.live("sends every request over HTTP with a key of its own, and takes only the right status", () =>
    Effect.gen(function* () {
      const seen: Seen = { paths: new Set(), keys: new Set() }
      const server = yield* listening(seen)
      const result = yield* runHttpOpen({
        ...slowRate,
        host: "127.0.0.1",
        port: (server.address() as AddressInfo).port,
        path: "/{w}",
        headers: { key: "k{n}" },
        body: "{}",
        wallets: ["a", "b"],
        status: "201",
        connections: 4
      })
      assert.deepStrictEqual([...seen.paths].sort(), ["/a", "/b"])
      assert.strictEqual(seen.keys.size, 120 - result.unsent)
      assert.isAbove(result.refused, 0)
      assert.strictEqual(result.perSecond / 2 + result.refused + result.unsent, 100)
    })
  )
})
