/**
 * Sends commits as rows, by one statement, for all who write them: an append, a write behind a log
 * that lives elsewhere, a rebuild.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import { allMembers, type Commit } from "../../domain/Commit.ts"
import type { Checkpoint } from "../Persistence.ts"
import { type ReadError, StoreDefect, type StoreName } from "../StoreError.ts"
import { type CommitBatch, commitBatch } from "./CommitBatch.ts"
import type { PreparedEvents } from "./EventRows.ts"
import { type CommitPurpose, type CommitStatement, commitStatement, type Slot } from "./CommitStatement.ts"
import { readFailure } from "./Failure.ts"
import { int4s, int8, text } from "./Parameters.ts"

const slotsIf = (there: boolean, ...slots: ReadonlyArray<Slot>): ReadonlyArray<Slot> => (there ? slots : [])

const slotsOf = (of: CommitStatement): ReadonlyArray<Slot> => [
  "commits",
  ...slotsIf(of.purpose !== "rederive", "events"),
  ...slotsIf(of.purpose === "append", "generation", "size"),
  ...slotsIf(of.joint, "units"),
  ...slotsIf(of.holds, "holdsPlaced", "holdsChanged"),
  ...slotsIf(of.transfers, "transfersSent", "transfersChanged"),
  ...slotsIf(of.legs, "legsPrepared", "legsApplied", "legsReleased", "transferWallets"),
  ...slotsIf(of.reversals, "reversals"),
  ...slotsIf(of.checkpoint, "checkpointOwner", "checkpointPosition")
]

/** What of a statement makes its text differ. */
const variantOf = (of: CommitStatement): string =>
  `${of.purpose} ${of.creates} ${of.details} ${of.holds} ${of.transfers} ${of.legs} ${of.reversals} ` +
  `${of.unsure} ${of.joint} ${of.checkpoint}`

/**
 * A session plans a prepared statement once, for the tables as they are. A text that changes whenever
 * the number of calls has doubled makes it plan again, so that a plan made for an empty table does not
 * serve a large one.
 */
const makeTexts = (): ((of: CommitStatement) => string) => {
  /** At most one for each variant and doubling. */
  const texts = new Map<string, string>()
  let sent = 0
  return (of) => {
    const doublings = Math.floor(Math.log2(++sent))
    const variant = `${doublings} ${variantOf(of)}`
    const known = texts.get(variant)
    if (known !== undefined) return known
    const text = `/* plan ${doublings} */${commitStatement(of, slotsOf(of))}`
    texts.set(variant, text)
    return text
  }
}

/** What a statement takes beside its rows. */
export interface FurtherParameters {
  readonly generation?: bigint
  readonly checkpoint?: Checkpoint | undefined
}

/** The parameters of a statement with these slots. */
type CommitParameters = (
  batch: CommitBatch,
  slots: ReadonlyArray<Slot>,
  further: FurtherParameters
) => ReadonlyArray<PgTypes.Parameter>

interface TypeRow {
  readonly name: string
  readonly element: number
  readonly array: number
}

const readTypes = `
select typname as name, oid::int8::int4 as element, typarray::int8::int4 as array
from pg_type where typname in ('given_commit', 'given_event') and typnamespace = current_schema()::regnamespace`

/** The bytes are the array already. */
const asWritten: PgTypes.Codec<Uint8Array> = { encode: Result.succeed, decode: Result.succeed }

const registryOf = (client: PgClient, store: StoreName): Effect.Effect<PgTypes.Registry, StoreDefect> =>
  client.config.types === undefined
    ? Effect.fail(new StoreDefect({ store, reason: "the SQL client has no type registry of its own" }))
    : Effect.succeed(client.config.types)

/**
 * The ids of composite types differ from database to database, so they are asked for, and the client
 * learns them. Asked once; again after a failure.
 */
const makeParameters = (client: PgClient, store: StoreName): Effect.Effect<CommitParameters, ReadError> => {
  let known: CommitParameters | undefined

  const ask = Effect.gen(function* () {
    const registry = yield* registryOf(client, store)
    const rows = yield* Effect.mapError(client.unsafe<TypeRow>(readTypes), readFailure(store))
    const commit = rows.find(({ name }) => name === "given_commit")
    const event = rows.find(({ name }) => name === "given_event")
    if (commit === undefined || event === undefined) {
      return yield* new StoreDefect({ store, reason: "the types of a commit are missing: migrate" })
    }
    registry.register(commit.array, asWritten)
    registry.register(event.array, asWritten)
    const written = (bytes: Uint8Array, oid: number): PgTypes.Parameter => ({ ...PgTypes.bytea(bytes), oid })
    const parameterOf = (batch: CommitBatch, slot: Slot, { generation, checkpoint }: FurtherParameters) => {
      switch (slot) {
        case "commits":
          return written(batch.commits.finish(commit.element), commit.array)
        case "events":
          return written(batch.events.finish(event.element), event.array)
        case "generation":
          return int8(generation!)
        case "size":
          return int8(batch.size)
        case "units":
          return int4s(batch.units!)
        case "checkpointOwner":
          return text(checkpoint!.owner)
        case "checkpointPosition":
          return int8(checkpoint!.position)
        default:
          return text(batch[slot])
      }
    }
    known = (batch, slots, further) => slots.map((slot) => parameterOf(batch, slot, further))
    return known
  })

  return Effect.suspend(() => (known === undefined ? ask : Effect.succeed(known)))
}

/**
 * Rows of several wallets are locked in the order of their ids, so that appends and
 * writes do not block one another in a circle.
 */
const byWallet = (a: Commit, b: Commit): number => (a.walletId < b.walletId ? -1 : a.walletId > b.walletId ? 1 : 0)

interface SentRow {
  readonly flags: ReadonlyArray<boolean> | null
  readonly before?: bigint | null
  readonly seen?: ReadonlyArray<number> | null
}

/** What of the commits was written; the others were left out. */
export interface Sent {
  /** With the positions of their last events, or of later ones of the batch: of an append. */
  readonly written: ReadonlyMap<Commit, bigint>
  /** Left out: a key of theirs is there. */
  readonly keySeen: ReadonlySet<Commit>
}

const sentOf = (commits: ReadonlyArray<Commit>, batch: CommitBatch, { before, flags, seen }: SentRow): Sent => {
  const written = new Map<Commit, bigint>()
  const end = (before ?? 0n) + BigInt(batch.size)
  let position = before ?? 0n
  for (const [index, commit] of commits.entries()) {
    position += BigInt(commit.events.length)
    if (flags === null || flags[index] === true) written.set(commit, batch.parts.joint ? end : position)
  }
  return { written, keySeen: new Set(seen?.map((number) => commits[number - 1]!)) }
}

export interface CommitWriterOptions {
  readonly store: StoreName
  /** Search is in this database. Default `true`. */
  readonly words?: boolean | undefined
  /** Of appends, with the same words. */
  readonly prepared?: PreparedEvents | undefined
}

export const makeCommitWriter = (sql: PgClient, { prepared, store, words = true }: CommitWriterOptions) => {
  const parameters = makeParameters(sql, store)
  const textOf = makeTexts()

  return (
    purpose: CommitPurpose,
    given: ReadonlyArray<Commit>,
    further: FurtherParameters
  ): Effect.Effect<Sent, SqlError | ReadError> =>
    Effect.flatMap(parameters, (parametersOf) => {
      const commits = [...allMembers(given)].sort(byWallet)
      const batch = commitBatch(
        commits,
        { log: purpose === "append", words },
        purpose === "append" ? prepared : undefined
      )
      const of: CommitStatement = { ...batch.parts, purpose, checkpoint: further.checkpoint !== undefined }
      return Effect.map(sql.unsafe<SentRow>(textOf(of), parametersOf(batch, slotsOf(of), further)), ([row]) =>
        sentOf(commits, batch, row!)
      )
    })
}
