/** One of the two checkouts in a row: the place that its wallets are in, and what it has written there. */
import * as Effect from "effect/Effect"
import { join } from "node:path"
import type { PostgresServer } from "../servers/PostgresServer.ts"
import { temporaryFolder } from "../servers/ServerProcess.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { folderBytes, freshDatabase, serverBytes } from "../SideDatabase.ts"
import type { Checkout, Place } from "./Checkout.ts"

/** What every row is measured with. */
export interface Against {
  readonly settings: BenchSettings
  /** This checkout, then the other one. */
  readonly checkouts: readonly [Checkout, Checkout]
  /** `undefined`: PostgreSQL is not on this machine. */
  readonly server: PostgresServer | undefined
  /** Of the server, as the report says it. */
  readonly serverConditions: string
  readonly pasts: Pasts
}

/** Of each store both sides with wallets that have a past, the same for all rows. */
export type Pasts = Readonly<Record<Store, Effect.Effect<Sides>>>

export interface Side {
  readonly checkout: Checkout
  readonly place: Place
  /** Events written by it so far. */
  events: number
  /** Rounds so far: each has wallets of its own. */
  rounds: number
}

export type Sides = readonly [Side, Side]

export type Store = "server" | "folder"

const placeOf = Effect.fnUntraced(function* (server: PostgresServer | undefined, database: string) {
  if (server === undefined) {
    const folder = join(yield* temporaryFolder(), "data")
    return { _tag: "Folder", folder } satisfies Place
  }
  return { _tag: "Server", url: yield* freshDatabase(server, database) } satisfies Place
})

/** Both sides, each in an empty place of its own that is gone with the scope. `database`: its name begins so. */
export const openSides = Effect.fnUntraced(function* (
  { checkouts, server }: Pick<Against, "checkouts" | "server">,
  store: Store,
  database = "against"
) {
  const sides: Array<Side> = []
  for (const [index, checkout] of checkouts.entries()) {
    const place: Place = yield* placeOf(store === "server" ? server : undefined, `${database}_${index}`)
    sides.push({ checkout, place, events: 0, rounds: 0 })
  }
  // One for each of the two checkouts above.
  return sides as unknown as Sides
})

/** Bytes of tables and indexes. On a server after a checkpoint; PGlite writes all when it is closed. */
export const bytesOf = ({ place }: Side): Effect.Effect<number> =>
  place._tag === "Server" ? serverBytes(place.url) : folderBytes(place.folder)

/** What the report says that a row ran on. */
export const onText = ({ serverConditions }: Against, store: Store): string =>
  store === "server" ? serverConditions : "PGlite (fsync off)"
