/**
 * Who fills a set that nobody searches yet: one document of the set's own, changed by compare-and-set.
 * Its holder writes it again and again; whoever sees it unchanged for long takes it. So it
 * rests on nobody's clock being right.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import type { ReadError } from "../StoreError.ts"
import type { ElasticConnection } from "./Connection.ts"
import { unavailable } from "./Failure.ts"
import { ownAlias } from "./IndexNames.ts"

/** Milliseconds between two signs of life. */
const beatMillis = 2_000
/** Milliseconds without one after which the holder takes it for lost: before anybody else may have it. */
const ownMillis = 8_000
/** Milliseconds without one after which somebody else takes it. */
const othersMillis = 15_000
const lookMillis = 1_000

const lockId = "lock"

interface LockDocument {
  /** `""`: nobody. */
  readonly owner: string
  readonly seqNo: number
  readonly primaryTerm: number
}

export interface BuildLock {
  /** Fails when somebody else may have it by now. */
  readonly check: Effect.Effect<void, ReadError>
}

const read = Effect.fnUntraced(function* ({ request }: ElasticConnection["Service"], index: string) {
  const { body, status } = yield* request({ method: "GET", path: `/${index}/_doc/${lockId}`, accept: [404] })
  if (status === 404) return undefined
  const { _primary_term, _seq_no, _source } = body as {
    readonly _seq_no: number
    readonly _primary_term: number
    readonly _source: { readonly owner: string }
  }
  return { owner: _source.owner, seqNo: _seq_no, primaryTerm: _primary_term } satisfies LockDocument
})

/** `undefined`: it was changed in between. */
const write = Effect.fnUntraced(function* (
  { request }: ElasticConnection["Service"],
  index: string,
  owner: string,
  before: LockDocument | undefined
) {
  const { body, status } = yield* request({
    method: "PUT",
    path: `/${ownAlias(index)}/_doc/${lockId}`,
    query: {
      require_alias: true,
      ...(before === undefined
        ? { op_type: "create" }
        : { if_seq_no: before.seqNo, if_primary_term: before.primaryTerm })
    },
    body: { owner },
    accept: [409]
  })
  if (status === 409) return undefined
  const { _primary_term, _seq_no } = body as { readonly _seq_no: number; readonly _primary_term: number }
  return { owner, seqNo: _seq_no, primaryTerm: _primary_term } satisfies LockDocument
})

/** Whether nobody holds it, by what is seen of it for a while. */
const isLeft = Effect.fnUntraced(function* (
  connection: ElasticConnection["Service"],
  index: string,
  seen: LockDocument | undefined
) {
  if (seen === undefined || seen.owner === "") return true
  for (let waited = 0; waited < othersMillis; waited += lookMillis) {
    yield* Effect.sleep(lookMillis)
    const now = yield* read(connection, index)
    if (now === undefined || now.seqNo !== seen.seqNo || now.primaryTerm !== seen.primaryTerm) return false
  }
  return true
})

/** Whether anybody holds it. Waits for a sign of life, some seconds, where somebody seems to. */
export const isHeld = (connection: ElasticConnection["Service"], index: string): Effect.Effect<boolean, ReadError> =>
  Effect.gen(function* () {
    return !(yield* isLeft(connection, index, yield* read(connection, index)))
  })

const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

/** Until the scope closes. `undefined`: somebody else has it. */
export const take = Effect.fnUntraced(function* (
  connection: ElasticConnection["Service"],
  index: string
): Effect.fn.Return<BuildLock | undefined, ReadError, Scope.Scope> {
  const seen = yield* read(connection, index)
  if (!(yield* isLeft(connection, index, seen))) return undefined
  const owner = randomUUID()
  const taken = yield* write(connection, index, owner, seen)
  if (taken === undefined) return undefined
  let mine: LockDocument | undefined = taken
  let seenAlive = yield* monotonicMillis

  const beat = Effect.gen(function* () {
    if (mine === undefined) return
    const now = yield* monotonicMillis
    const next: LockDocument | undefined = yield* write(connection, index, owner, mine)
    if (next === undefined) {
      // An answer that was lost leaves our own sign of life there.
      const there = yield* read(connection, index)
      mine = there?.owner === owner ? there : undefined
    } else mine = next
    if (mine !== undefined) seenAlive = now
  })
  const giveBack = Effect.gen(function* () {
    const last = mine
    mine = undefined
    if (last !== undefined) yield* write(connection, index, "", last)
  })
  yield* Effect.addFinalizer(() => Effect.ignore(giveBack))
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(Effect.uninterruptible(beat)), Schedule.spaced(beatMillis)))

  const check = Effect.gen(function* () {
    const age = (yield* monotonicMillis) - seenAlive
    if (mine === undefined || age > ownMillis)
      return yield* unavailable("another process may have the next search index by now")
  })
  return { check }
})
