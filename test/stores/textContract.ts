/** Every text that may be stored comes back as it went in, from each store and each way of reading. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import assert from "node:assert/strict"
import { isText } from "../../src/domain/Limits.ts"
import { ApiKeyStore } from "../../src/stores/ApiKeyStore.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { mistakenMetadata } from "../domain/MistakenNames.ts"
import { type ContractCase, contractCase } from "../../src/testing/contract/ContractCase.ts"
import { transactionsOf, viewOf } from "../../src/testing/contract/Observations.ts"
import {
  credit,
  returnFunds,
  SampleWallet,
  type SampleCommand,
  send,
  uniqueId
} from "../../src/testing/contract/SampleWallet.ts"

/** What has a meaning for somebody on the way: marks, quotes, arrays, rows, numbers, words for nothing. */
const pieces = [
  "\ufeff",
  "\ufffd",
  "\ufffe",
  "\uffff",
  "e\u0301",
  "\u200d",
  "\u2028",
  "🐎",
  "\u{10ffff}",
  '"',
  "'",
  "''",
  "\\",
  "\\\\",
  "\\N",
  "\\x00",
  "{",
  "}",
  '{"a","b"}',
  "(1,2)",
  ",",
  ";",
  "$1",
  "%",
  "\n",
  "\r\n",
  "\t",
  "\u0001",
  "\u007f",
  " ",
  "NULL",
  "null",
  "undefined",
  "__proto__",
  "0",
  "a"
]

const texts = fc.oneof(
  fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join("")),
  // The mark alone is kept by the driver's quick way; with what makes it take the other, it was not.
  fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => `\ufeff${text}\ufffd`),
  fc.string({ unit: "binary", maxLength: 60 })
)

const storable = (maxLength: number) => texts.filter((text) => isText(text, maxLength))

const metadatas = fc
  .array(fc.tuple(storable(64), storable(512)), { maxLength: 4 })
  .map((pairs) => Object.fromEntries(pairs) as Readonly<Record<string, string>>)

const lives = fc.record({ reference: storable(255), reason: storable(255), metadata: metadatas })

/** The same ones in every run and for every store. */
const samples = fc.sample(lives, { numRuns: 120, seed: 7 })

const hold = (holdId: string, { metadata, reference }: (typeof samples)[number]): SampleCommand => ({
  _tag: "PlaceHold",
  holdId,
  amount: 1n,
  expiresAt: null,
  reference,
  metadata
})

const stored = contractCase(
  "keeps every text as it was written",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    for (const sample of samples) {
      const { metadata, reason, reference } = sample
      const wallet = new SampleWallet({ metadata })
      const [holdId, transferId] = [uniqueId("hold"), uniqueId("transfer")]
      const commit = wallet.commit(
        wallet.creation(),
        credit(9n, reference, metadata),
        hold(holdId, sample),
        send(transferId, "elsewhere", 2n, reference, metadata),
        returnFunds(transferId, reason),
        { _tag: "Freeze", reason, direction: null, until: null },
        { _tag: "UpdateWallet", overdraftLimit: null, metadata: { ...metadata, last: reference } }
      )
      yield* log.append([commit])
      const state = wallet.wallet!
      assert.deepEqual(yield* log.read(wallet.id, { after: -1, limit: 9 }), commit.events)
      assert.deepEqual(yield* persistence.wallet(wallet.id), viewOf(state))
      assert.deepEqual(
        yield* persistence.scanTransactions(wallet.id, { after: -1, limit: 9 }),
        transactionsOf(state, commit.events)
      )
      const placed = yield* persistence.hold(wallet.id, holdId)
      assert.deepEqual([placed?.reference, placed?.metadata], [reference, metadata])
      const sent = yield* persistence.transfer(transferId)
      assert.deepEqual([sent?.reference, sent?.metadata, sent?.reason], [reference, metadata, reason])
      const range = { after: { walletId: wallet.id, version: -1 }, to: wallet.id, limit: 9 }
      const scanned = log.scan === undefined ? undefined : yield* log.scan(range)
      assert.deepEqual(scanned?.events.map(({ recorded }) => recorded) ?? commit.events, commit.events)
      const data = `\ufeff${reference}${reason}`
      yield* log.saveSnapshot({ walletId: wallet.id, version: 3, time: wallet.time, data })
      assert.equal((yield* log.loadSnapshot(wallet.id))?.data, data)
    }
  })
)

const apart = contractCase(
  "keeps names of metadata apart that V8 mistakes for one another",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    // Others for each way of reading: what was read once is mistaken no more.
    const ways = [mistakenMetadata(), mistakenMetadata(), mistakenMetadata(), mistakenMetadata(), mistakenMetadata()]
    for (let at = 0; at < ways[0]!.length; at++) {
      const [ofWallet, ofEvent, ofTransaction, ofHold, ofTransfer] = ways.map((way) => way[at]!)
      const [created, other] = [new SampleWallet({ metadata: ofWallet }), new SampleWallet()]
      const [holdId, transferId] = [uniqueId("hold"), uniqueId("transfer")]
      yield* log.append([
        created.commit(created.creation()),
        other.commit(
          other.creation(),
          credit(9n, "r", ofTransaction),
          { _tag: "PlaceHold", holdId, amount: 1n, expiresAt: null, reference: "r", metadata: ofHold! },
          send(transferId, "elsewhere", 2n, "r", ofTransfer),
          { _tag: "UpdateWallet", overdraftLimit: null, metadata: ofEvent! }
        )
      ])
      // As texts: a comparison by names would look at objects of the right ones.
      const says = (read: unknown, metadata: unknown) => assert.equal(JSON.stringify(read), JSON.stringify(metadata))
      says((yield* persistence.wallet(created.id))?.metadata, ofWallet)
      const transactions = yield* persistence.scanTransactions(other.id, { after: -1, limit: 9 })
      says(transactions.find(({ type }) => type === "credit")?.metadata, ofTransaction)
      says((yield* persistence.hold(other.id, holdId))?.metadata, ofHold)
      says((yield* persistence.transfer(transferId))?.metadata, ofTransfer)
      const [changed] = yield* log.read(other.id, { after: 3, limit: 9 })
      says(changed?.event._tag === "MetadataChanged" && changed.event.metadata, ofEvent)
    }
  })
)

const named = contractCase(
  "keeps every name of an API key as it was written",
  Effect.gen(function* () {
    const keys = yield* ApiKeyStore
    for (const { reference } of samples) {
      const id = uniqueId("key")
      yield* keys.insert({ id, name: reference, scopes: [], createdAt: 1, hash: id })
      assert.equal((yield* keys.all).find((key) => key.id === id)?.name, reference)
    }
  })
)

export const textContract: ReadonlyArray<ContractCase<EventStore | Persistence | ApiKeyStore>> = [stored, apart, named]
