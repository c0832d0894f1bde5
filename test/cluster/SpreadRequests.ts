/** A caller behind a balancer that knows nothing: it asks any node, and another one when that has no answer for it. */
import * as Effect from "effect/Effect"
import { HttpConnection } from "../../src/load/HttpConnection.ts"
import type { Requests } from "../faults/FaultClient.ts"

const isPoor = (status: number): boolean => status === 429 || status === 503

/** A connection to each node. It stays with one for as long as that answers. */
export const spreadRequests = (urls: ReadonlyArray<string>, random: (below: number) => number): Requests => {
  const connections = urls.map((url) => new HttpConnection(new URL(url)))
  let at = random(urls.length)
  const turn = Effect.sync(() => {
    at = (at + 1) % connections.length
  })
  return {
    request: (head, body) =>
      Effect.suspend(() => connections[at]!.request(head, body)).pipe(
        Effect.tap(({ status }) => (isPoor(status) ? turn : Effect.void)),
        Effect.tapError(() => turn),
        Effect.onInterrupt(() => turn)
      ),
    close: () => {
      for (const connection of connections) connection.close()
    }
  }
}
