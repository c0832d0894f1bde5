/**
 * What it buys to write an append's rows as one array of composite values by hand
 * (`src/stores/sql/CompositeArray.ts`), beside the driver's own encoding of an array for each column.
 * No store is asked: this is the node's share alone. What the server saves by it shows in the
 * appends themselves.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Commit } from "../src/domain/Commit.ts"
import { wireType } from "../src/domain/EventCodec.ts"
import { commitBatch } from "../src/stores/sql/CommitBatch.ts"
import { columnsOf } from "../src/stores/sql/EventColumns.ts"
import { credit, SampleWallet } from "../src/testing/contract/SampleWallet.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { repeat, type Row, rowOf } from "./Figure.ts"

const events = 512

/** One credit to each wallet: what nearly all appends are made of. */
const makeCommits = (): ReadonlyArray<Commit> =>
  Array.from({ length: events }, () => {
    const sample = new SampleWallet()
    sample.commit(sample.creation())
    return sample.commit(credit(1_000n))
  })

const byHand = (commits: ReadonlyArray<Commit>): number => {
  const batch = commitBatch(commits, { log: true, words: true })
  return batch.commits.finish(0).length + batch.events.finish(0).length
}

const { OID } = PgTypes

const bytesOf = (elementOid: number, values: ReadonlyArray<unknown>): number => {
  const { oid, value } = Result.getOrThrow(PgTypes.array(values, elementOid))
  return Result.getOrThrow(PgTypes.encode(value, oid)).length
}

/** The same values, and as many of them. */
const byDriver = (commits: ReadonlyArray<Commit>): number => {
  const texts = (values: ReadonlyArray<string | null>) => bytesOf(OID.text, values)
  const int8s = (values: ReadonlyArray<number>) => bytesOf(OID.int8, values.map(BigInt))
  const numerics = (values: ReadonlyArray<bigint | null>) =>
    bytesOf(
      OID.numeric,
      values.map((value) => (value === null ? null : String(value)))
    )
  const ofCommits =
    texts(commits.map(({ walletId }) => walletId)) +
    int8s(commits.map(({ expectedVersion }) => expectedVersion)) +
    bytesOf(
      OID.int4,
      commits.map((commit) => commit.events.length)
    ) +
    bytesOf(
      OID.int4,
      commits.map((_, index) => index)
    ) +
    texts(commits.map(({ wallet }) => wallet.status)) +
    numerics(commits.map(({ wallet }) => wallet.balance)) +
    numerics(commits.map(({ wallet }) => wallet.held)) +
    numerics(commits.map(({ wallet }) => wallet.overdraftLimit)) +
    bytesOf(
      OID.timestamptz,
      commits.map(({ wallet }) => wallet.updatedAt)
    ) +
    texts(commits.map(() => null))
  const given = commits.flatMap((commit, index) =>
    commit.events.map((recorded) => ({ commit, index, recorded, columns: columnsOf(recorded.event) }))
  )
  return (
    ofCommits +
    bytesOf(
      OID.int4,
      given.map(({ index }) => index)
    ) +
    int8s(given.map(({ recorded }) => recorded.version)) +
    bytesOf(
      OID.timestamptz,
      given.map(({ recorded }) => recorded.time)
    ) +
    int8s(given.map(({ recorded }) => recorded.metadata.epoch)) +
    bytesOf(
      OID.uuid,
      given.map(({ recorded }) => recorded.id)
    ) +
    texts(given.map(({ recorded }) => recorded.walletId)) +
    texts(given.map(({ recorded }) => wireType(recorded.event))) +
    texts(given.map(({ recorded }) => recorded.metadata.key)) +
    texts(given.map(({ recorded }) => recorded.metadata.fingerprint)) +
    texts(given.map(({ commit }) => commit.wallet.currency)) +
    numerics(given.map(({ columns }) => columns.amount)) +
    numerics(given.map(({ recorded }) => recorded.event.balanceAfter)) +
    numerics(given.map(({ recorded }) => recorded.event.heldAfter)) +
    texts(given.map(({ columns }) => columns.reference)) +
    bytesOf(
      OID.json,
      given.map(() => null)
    ) +
    texts(given.map(({ columns }) => columns.holdId)) +
    texts(given.map(({ columns }) => columns.transferId)) +
    texts(given.map(({ columns }) => columns.counterparty)) +
    texts(given.map(({ columns }) => columns.data)) +
    texts(given.map(() => null)) +
    texts(given.map(() => null))
  )
}

/** Events per second. */
const round = ({ millis }: BenchSettings, encode: (commits: ReadonlyArray<Commit>) => number) =>
  Effect.sync(() => {
    const commits = makeCommits()
    for (let warm = 0; warm < 200; warm++) encode(commits)
    const start = performance.now()
    let batches = 0
    for (; performance.now() - start < millis; batches++) encode(commits)
    return (batches * events * 1_000) / (performance.now() - start)
  })

export const encodingBench = Effect.fnUntraced(function* (
  settings: BenchSettings
): Effect.fn.Return<ReadonlyArray<Row>> {
  const engine = yield* repeat("/s", settings.rounds, round(settings, byHand))
  const figure = yield* repeat("/s", settings.rounds, round(settings, byDriver))
  const beside = { name: "the driver's encoding, an array for each column", figure }
  return [
    rowOf({ name: `encoding an append of ${events} credits, events`, on: "no stores", engine, beside, ratioBar: 1.5 })
  ]
})
