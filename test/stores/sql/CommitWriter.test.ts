import type { PgClient } from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { CommitPurpose } from "../../../src/stores/sql/CommitStatement.ts"
import { makeCommitWriter } from "../../../src/stores/sql/CommitWriter.ts"
import { credit, SampleWallet } from "../../../src/testing/contract/SampleWallet.ts"

/** Ids that this database has given to the composite types. */
const types = [
  { name: "given_commit", element: 70_001, array: 70_002 },
  { name: "given_event", element: 70_003, array: 70_004 }
]

interface Call {
  readonly statement: string
  readonly parameters: ReadonlyArray<PgTypes.Parameter>
}

/** A client that answers every commit as written. */
const recording = () => {
  const calls: Array<Call> = []
  const client = {
    config: { types: PgTypes.makeRegistry() },
    unsafe: (statement: string, parameters: ReadonlyArray<PgTypes.Parameter> = []) => {
      if (statement.includes("from pg_type")) return Effect.succeed(types)
      calls.push({ statement, parameters })
      return Effect.succeed([{ flags: null, before: 0n }])
    }
  }
  // No server: what the writer uses of a client is here, and nothing else.
  return { calls, client: client as unknown as PgClient }
}

const commits = () => {
  const samples = Array.from({ length: 3 }, () => new SampleWallet())
  return samples.map((sample) => sample.commit(sample.creation(), credit(1n), credit(2n)))
}

/** Element type and length, as the header of an array says. */
const headerOf = ({ value }: PgTypes.Parameter): readonly [number, number] => {
  const bytes = value as Uint8Array
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return [view.getInt32(8), view.getInt32(12)]
}

describe("the writer of commits", () => {
  for (const purpose of ["append", "copy", "recopy"] as const) {
    it.effect(`hands all rows over as one array of composite values each: ${purpose}`, () =>
      Effect.gen(function* () {
        const { calls, client } = recording()
        yield* makeCommitWriter(client, { store: "log" })(purpose, commits(), { generation: 1n })
        const [{ parameters }] = calls as [Call]
        const [ofCommits, ofEvents] = parameters as [PgTypes.Parameter, PgTypes.Parameter]
        assert.deepStrictEqual([ofCommits.oid, ofEvents.oid], [70_002, 70_004])
        assert.deepStrictEqual(headerOf(ofCommits), [70_001, 3])
        assert.deepStrictEqual(headerOf(ofEvents), [70_003, 9])
        // No array of a column goes beside them.
        for (const { value } of parameters.slice(2)) assert.isFalse(Array.isArray(value))
      })
    )
  }

  it.effect("hands over no events where they are there", () =>
    Effect.gen(function* () {
      const { calls, client } = recording()
      yield* makeCommitWriter(client, { store: "persistence" })("rederive", commits(), {})
      assert.deepStrictEqual(
        calls[0]!.parameters.map(({ oid }) => oid),
        [70_002]
      )
    })
  )

  it.effect("counts the rows of events wherever it writes them", () =>
    Effect.gen(function* () {
      const { calls, client } = recording()
      const write = makeCommitWriter(client, { store: "log" })
      const purposes: ReadonlyArray<CommitPurpose> = ["append", "copy", "recopy", "rederive"]
      for (const purpose of purposes) yield* write(purpose, commits(), { generation: 1n })
      assert.deepStrictEqual(
        calls.map(({ statement }) => statement.includes("refuse_suppressed_rows('events'")),
        [true, true, true, false]
      )
    })
  )

  it.effect("tells the position of each commit's last event, in the order in which they are locked", () =>
    Effect.gen(function* () {
      const { client } = recording()
      const given = commits()
      const { written } = yield* makeCommitWriter(client, { store: "log" })("append", given, { generation: 1n })
      const inOrder = [...given].sort((a, b) => (a.walletId < b.walletId ? -1 : 1))
      assert.deepStrictEqual(
        inOrder.map((commit) => written.get(commit)),
        [3n, 6n, 9n]
      )
    })
  )
})
