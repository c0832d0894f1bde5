/** What a row of `npm run overload` is, what it is given and what it answers. */
import type * as Effect from "effect/Effect"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type * as Scope from "effect/Scope"
import type { Place } from "../against/Checkout.ts"
import type { ElasticsearchServer } from "../servers/ElasticsearchServer.ts"
import { type Bar, formatNumber, type Unit } from "../Figure.ts"

/** What a row is measured with. A row starts what it needs in the scope: it ends with the row. */
export interface OverloadContext {
  /** Where the service has its wallets: a folder or a database of the row's own. */
  readonly place: Place
  /** A server for search, started when it is first asked for; `undefined`: not on this machine. */
  readonly elasticsearch: Effect.Effect<ElasticsearchServer | undefined>
  /** Milliseconds that the load lasts; what is measured before and after it comes on top. */
  readonly millis: number
  /** Tells whoever waits how far it is. */
  readonly progress: (text: string) => Effect.Effect<void>
}

/** One thing that was measured; `bar: null`: told, and held to nothing. */
export interface OverloadFigure {
  readonly name: string
  readonly unit: Unit
  readonly value: number
  readonly bar: Bar | null
}

export interface OverloadRow {
  /** For `--only`. */
  readonly name: string
  readonly title: string
  readonly run: (
    context: OverloadContext
  ) => Effect.Effect<ReadonlyArray<OverloadFigure>, never, ChildProcessSpawner | Scope.Scope>
}

/** A figure without a bar. */
export const told = (name: string, unit: Unit, value: number): OverloadFigure => ({ name, unit, value, bar: null })

export const atLeast = (name: string, unit: Unit, value: number, bound: number): OverloadFigure => ({
  name,
  unit,
  value,
  bar: { text: `≥ ${formatNumber(bound, unit)}`, holds: value >= bound }
})

export const atMost = (name: string, unit: Unit, value: number, bound: number): OverloadFigure => ({
  name,
  unit,
  value,
  bar: { text: `≤ ${formatNumber(bound, unit)}`, holds: value <= bound }
})
