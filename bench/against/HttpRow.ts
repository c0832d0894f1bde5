/** Credits over HTTP to the services of both checkouts, in turns, on PostgreSQL. */
import * as Effect from "effect/Effect"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { inTurns, type Round, type Row, rowOf } from "../Figure.ts"
import { createWallets, creditRound, maxWallets, startService } from "../HttpService.ts"
import { type Against, onText, openSides } from "./Side.ts"

export interface HttpLoad {
  readonly connections: number
  readonly wallets: number
}

export const httpRow = (
  against: Against,
  { connections, wallets }: HttpLoad
): Effect.Effect<ReadonlyArray<Row>, never, ChildProcessSpawner> =>
  Effect.gen(function* () {
    const { settings } = against
    const sides = yield* openSides(against, "server")
    const count = Math.min(wallets, settings.wallets, maxWallets)
    const rounds: Array<Round<ChildProcessSpawner>> = []
    for (const { checkout, place } of sides) {
      const service = yield* startService(checkout, place)
      const ids = yield* createWallets(service, count)
      rounds.push(Effect.suspend(() => creditRound(settings, service, ids, connections)))
    }
    const [engine, other] = yield* inTurns("/s", settings.rounds, rounds)
    return [
      rowOf({
        name: `HTTP credit, ${count.toLocaleString("en")} wallets, ${connections} connections`,
        on: onText(against, "server"),
        callers: connections,
        engine: engine!,
        beside: { name: sides[1].checkout.name, figure: other! }
      })
    ]
  }).pipe(Effect.scoped)
