/** Credits, transfers and batches over HTTP to the services of both checkouts, in turns, on PostgreSQL. */
import * as Effect from "effect/Effect"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { inTurns, type Round, type Row, rowOf } from "../Figure.ts"
import {
  batchCommands,
  batchOf,
  createWallets,
  creditTo,
  loadRound,
  maxWallets,
  type Service,
  startService,
  type Target,
  transferAmong
} from "../HttpService.ts"
import { type Against, onText, openSides } from "./Side.ts"

const kinds = {
  credit: { each: 1, target: creditTo },
  transfer: { each: 1, target: transferAmong },
  "credits to one in batches": {
    each: batchCommands,
    target: (wallets: ReadonlyArray<string>, service: Service): Target => batchOf("credits to one", wallets, service)
  },
  "credits in batches": {
    each: batchCommands,
    target: (wallets: ReadonlyArray<string>, service: Service): Target => batchOf("credits to many", wallets, service)
  },
  "transfers in batches": {
    each: batchCommands,
    target: (wallets: ReadonlyArray<string>, service: Service): Target => batchOf("transfers", wallets, service)
  }
} as const

export interface HttpLoad {
  /** `credit` by default. */
  readonly kind?: keyof typeof kinds
  readonly connections: number
  readonly wallets: number
}

export const httpRow = (
  against: Against,
  { connections, kind = "credit", wallets }: HttpLoad
): Effect.Effect<ReadonlyArray<Row>, never, ChildProcessSpawner> =>
  Effect.gen(function* () {
    const { settings } = against
    const sides = yield* openSides(against, "server")
    const count = Math.min(wallets, settings.wallets, maxWallets)
    const rounds: Array<Round<ChildProcessSpawner>> = []
    for (const { checkout, place } of sides) {
      const service = yield* startService(checkout, place)
      const ids = yield* createWallets(service, count)
      const { each, target } = kinds[kind]
      rounds.push(
        Effect.suspend(() => loadRound(settings, service, { target: target(ids, service), connections, each }))
      )
    }
    const [engine, other] = yield* inTurns("/s", settings.rounds, rounds)
    return [
      rowOf({
        name: `HTTP ${kind}, ${count.toLocaleString("en")} wallets, ${connections} connections`,
        on: onText(against, "server"),
        callers: connections,
        engine: engine!,
        beside: { name: sides[1].checkout.name, figure: other! }
      })
    ]
  }).pipe(Effect.scoped)
