/**
 * Which of a database's connections reads may have. Some are kept for what must not wait behind
 * them: appends, API keys, health, claims, the look-up of a key that is in doubt. Of a single one
 * reads take turns, so that an append waits for one of them at most.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { SqlClient } from "effect/sql/SqlClient"

/** Connections kept from reads, unless that would be more than half: two appends, the keys, health. */
const reserved = 4

/** Default: reads may have all. `SqlDatabase` sees to it. */
export const ReadConnections = Context.Reference<<A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>>(
  "effect-wallet/stores/sql/ReadConnections",
  { defaultValue: () => (read) => read }
)

export const readsOf = (maxConnections: number): number =>
  Math.max(1, maxConnections - Math.min(reserved, Math.ceil(maxConnections / 2)))

/** Of a client with so many connections. A read within a transaction has one already, and waits for no other. */
export const make = (sql: SqlClient, maxConnections: number): (typeof ReadConnections)["Service"] => {
  const { withPermit } = Semaphore.makeUnsafe(readsOf(maxConnections))
  return (read) =>
    Effect.withFiber((fiber) =>
      Context.getOrUndefined(fiber.context, sql.transactionService) === undefined ? withPermit(read) : read
    )
}
