/**
 * What commands did that took place earlier: their events, the holds that they were about and
 * the wallet's profile as of then, of many commands by a few statements. Each look-up goes
 * along an index to one row, however long the wallet's history is.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { RecordedEvent } from "../../domain/Event.ts"
import { type Profile, profileAfter, profileTypes } from "../../domain/Profile.ts"
import { heldBefore } from "../../domain/HoldEvents.ts"
import type { Hold } from "../../domain/Wallet.ts"
import type { AskedCommand, EventStore, PastCommand } from "../EventStore.ts"
import type { EventUnreadable, ReadError } from "../StoreError.ts"
import { int8s, texts } from "./Parameters.ts"
import { eventColumns, type EventRow, holdColumns, holdOfRow, type HoldRow, recordedOf } from "./Rows.ts"

type Reading = <A>(self: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
type Read = <A extends object>(
  statement: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, ReadError>

/** `offset 0` keeps each look-up to one of its own. */
const eventsAt = (wallets: string, versions: string): string => `
select 0::int8 as place, e.* from unnest(${wallets}::text[], ${versions}::int8[]) as a (wallet_id, version)
  cross join lateral (
    select ${eventColumns} from events where wallet_id = a.wallet_id and version = a.version offset 0
  ) e`

const readHolds = `
select h.* from unnest($1::text[], $2::text[]) as a (wallet_id, id) cross join lateral (
  select ${holdColumns} from holds where wallet_id = a.wallet_id and id = a.id offset 0
) h`

const typeList = profileTypes.map((type) => `'${type}'`).join(", ")

/** The last event of each type up to the version. The list is the condition of the index. */
const profilesAt = (wallets: string, versions: string): string => `
select a.place, e.* from unnest(${wallets}::text[], ${versions}::int8[]) with ordinality as a (wallet_id, version, place)
  cross join unnest(array[${typeList}]) as t (type)
  cross join lateral (
    select ${eventColumns} from events
    where wallet_id = a.wallet_id and type = t.type and version <= a.version and type in (${typeList})
    order by version desc limit 1
  ) e`

/** One question for both: nearly always all there is to ask. */
const readEventsAndProfiles = `${eventsAt("$1", "$2")} union all ${profilesAt("$3", "$4")}`

const readProfiles = profilesAt("$1", "$2")

interface PlacedRow extends EventRow {
  /** Of a profile: to which of the places that were asked for, from 1. Of an event: 0. */
  readonly place: bigint
}

/** Where a command's last event stands; ids have no space in them. */
const placeOf = (walletId: string, version: number | bigint): string => `${walletId} ${version}`

interface Place {
  readonly walletId: string
  readonly version: number
}

const distinct = (places: Iterable<Place>): ReadonlyArray<Place> => [
  ...new Map(Array.from(places, (place) => [placeOf(place.walletId, place.version), place])).values()
]

const placeParameters = (places: ReadonlyArray<Place>): ReadonlyArray<unknown> => [
  texts(places.map(({ walletId }) => walletId)),
  int8s(places.map(({ version }) => version))
]

/** A command makes at most two events, side by side. */
const eventPlaces = (asked: ReadonlyArray<AskedCommand>): ReadonlyArray<Place> =>
  distinct(
    asked.flatMap(({ version, walletId }) => [
      { walletId, version },
      { walletId, version: version - 1 }
    ])
  )

const eventsIn = (rows: ReadonlyArray<PlacedRow>) => {
  const events = new Map<string, Result.Result<RecordedEvent, EventUnreadable>>()
  for (const row of rows) events.set(placeOf(row.wallet_id, row.version), recordedOf(row))
  return ({ version, walletId }: AskedCommand): Result.Result<ReadonlyArray<RecordedEvent>, EventUnreadable> => {
    const last = events.get(placeOf(walletId, version))
    if (last === undefined) return Result.succeed([])
    const before = events.get(placeOf(walletId, version - 1))
    if (before === undefined) return Result.map(last, (recorded) => [recorded])
    return Result.map(Result.all([before, last]), (both) =>
      both.filter(({ metadata }) => metadata.commandId === both[1].metadata.commandId)
    )
  }
}

const holdsOf = Effect.fnUntraced(function* (read: Read, commands: ReadonlyArray<ReadonlyArray<RecordedEvent>>) {
  const ids = new Map<string, { readonly walletId: string; readonly holdId: string }>()
  for (const events of commands) {
    const holdId = heldBefore(events)
    if (holdId !== undefined) ids.set(`${events[0]!.walletId} ${holdId}`, { walletId: events[0]!.walletId, holdId })
  }
  const holds = new Map<string, Hold>()
  if (ids.size > 0) {
    const asked = [...ids.values()]
    const parameters = [texts(asked.map(({ walletId }) => walletId)), texts(asked.map(({ holdId }) => holdId))]
    for (const row of yield* read<HoldRow>(readHolds, parameters))
      holds.set(`${row.wallet_id} ${row.id}`, holdOfRow(row))
  }
  return (events: ReadonlyArray<RecordedEvent>): Hold | undefined => {
    const holdId = heldBefore(events)
    return holdId === undefined ? undefined : holds.get(`${events[0]!.walletId} ${holdId}`)
  }
})

interface FoundProfile {
  readonly profile: Result.Result<Profile, EventUnreadable>
  /** Version of the last event that changed it. */
  readonly since: number
}

/** In the order of the places; `undefined`: there is no such wallet. */
const profilesIn = (rows: ReadonlyArray<PlacedRow>, places: number): ReadonlyArray<FoundProfile | undefined> => {
  const byPlace = Array.from({ length: places }, (): Array<PlacedRow> => [])
  for (const row of rows) byPlace[Number(row.place) - 1]!.push(row)
  return byPlace.map((own) => {
    if (own.length === 0) return undefined
    own.sort((a, b) => Number(a.version - b.version))
    return { profile: Result.map(Result.all(own.map(recordedOf)), profileAfter), since: Number(own.at(-1)!.version) }
  })
}

/** Of each wallet whose profile is asked for the highest version. */
const highestOf = (asked: ReadonlyArray<AskedCommand>): ReadonlyArray<AskedCommand> => {
  const highest = new Map<string, AskedCommand>()
  for (const command of asked) {
    if (command.profile && command.version > (highest.get(command.walletId)?.version ?? -1)) {
      highest.set(command.walletId, command)
    }
  }
  return [...highest.values()]
}

/**
 * Nearly always the profile at a wallet's highest version was the same at all others that are
 * asked for. Only where it was not they are asked for one by one.
 */
const profilesOf = Effect.fnUntraced(function* (
  read: Read,
  asked: ReadonlyArray<AskedCommand>,
  highest: ReadonlyMap<string, FoundProfile | undefined>
) {
  const isOlder = ({ version, walletId }: Place) => version < (highest.get(walletId)?.since ?? 0)
  const places = distinct(asked.filter((command) => command.profile && isOlder(command)))
  const older = new Map<string, FoundProfile | undefined>()
  if (places.length > 0) {
    const rows = yield* read<PlacedRow>(readProfiles, placeParameters(places))
    for (const [index, profile] of profilesIn(rows, places.length).entries()) {
      older.set(placeOf(places[index]!.walletId, places[index]!.version), profile)
    }
  }
  return (command: AskedCommand): Result.Result<Profile | undefined, EventUnreadable> => {
    if (!command.profile) return Result.succeed(undefined)
    const { version, walletId } = command
    const found = isOlder(command) ? older.get(placeOf(walletId, version)) : highest.get(walletId)
    return found === undefined ? Result.succeed(undefined) : found.profile
  }
})

/** `EventStore.pastCommands` of a log that is one with its rows. */
export const pastCommands =
  (sql: SqlClient, reading: Reading): NonNullable<EventStore["Service"]["pastCommands"]> =>
  (asked) =>
    Effect.gen(function* () {
      const read: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
        reading(sql.unsafe<A>(statement, parameters))
      const highest = highestOf(asked)
      const parameters = [...placeParameters(eventPlaces(asked)), ...placeParameters(highest)]
      const rows = yield* read<PlacedRow>(readEventsAndProfiles, parameters)
      const found = asked.map(eventsIn(rows.filter(({ place }) => place === 0n)))
      const profiles = profilesIn(
        rows.filter(({ place }) => place > 0n),
        highest.length
      )
      const byWallet = new Map(highest.map(({ walletId }, index) => [walletId, profiles[index]] as const))
      const profileAt = yield* profilesOf(read, asked, byWallet)
      const holdOf = yield* holdsOf(
        read,
        found.filter(Result.isSuccess).map(({ success }) => success)
      )
      return asked.map((command, index): Result.Result<PastCommand, EventUnreadable> =>
        Result.flatMap(found[index]!, (events) =>
          Result.map(profileAt(command), (profile) => ({ events, profile, hold: holdOf(events) }))
        )
      )
    })
