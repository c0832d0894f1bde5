/** What a store of API keys must do. `installation`: only on a store of the case's own. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { ApiKeyStore, type StoredApiKey } from "../../stores/ApiKeyStore.ts"
import type { KeyRestriction } from "../../domain/KeyRestriction.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { allPages } from "./Observations.ts"
import { uniqueId } from "./SampleWallet.ts"

const sampleKey = (): StoredApiKey => {
  const id = uniqueId("key")
  const hash = createHash("sha256").update(id).digest("hex")
  return { id, name: 'Příklad, "x"', scopes: ["wallets:read", "admin"], createdAt: 1_700_000_000_123, hash }
}

const withoutHash = ({ hash: _, ...key }: StoredApiKey) => key

const keeps = contractCase(
  "keeps keys with their hashes, and lists them without",
  Effect.gen(function* () {
    const store = yield* ApiKeyStore
    const keys = [sampleKey(), { ...sampleKey(), scopes: [] }]
    for (const key of keys) yield* store.insert(key)
    const ours = (all: ReadonlyArray<{ readonly id: string }>) =>
      all.filter(({ id }) => keys.some((key) => key.id === id))
    assert.deepEqual(ours(yield* store.all), keys)
    const pages = yield* allPages((cursor) => store.list({ limit: 200, cursor }))
    assert.deepEqual(ours(pages.flat()), keys.map(withoutHash).reverse())
  })
)

const removes = contractCase(
  "removes a key once, and says when there is none",
  Effect.gen(function* () {
    const store = yield* ApiKeyStore
    const key = sampleKey()
    yield* store.insert(key)
    assert.equal(yield* store.remove(key.id), true)
    assert.equal(yield* store.remove(key.id), false)
    assert.equal(
      (yield* store.all).some(({ id }) => id === key.id),
      false
    )
  })
)

const pages = contractCase(
  "cuts keys into pages, newest first, that stay as they are while keys are made",
  Effect.gen(function* () {
    const store = yield* ApiKeyStore
    const keys = Array.from({ length: 5 }, sampleKey)
    for (const key of keys) yield* store.insert(key)
    const seen = yield* allPages((cursor) =>
      Effect.tap(store.list({ limit: 2, cursor }), () =>
        cursor === undefined ? store.insert(sampleKey()) : Effect.void
      )
    )
    const ours = seen.flat().filter(({ id }) => keys.some((key) => key.id === id))
    assert.deepEqual(ours, keys.map(withoutHash).reverse())
    assert.equal((yield* Effect.flip(store.list({ limit: 2, cursor: "forged" })))._tag, "InvalidRequest")
  })
)

const twice = contractCase(
  "fails on an id that is there already",
  Effect.gen(function* () {
    const store = yield* ApiKeyStore
    const key = sampleKey()
    yield* store.insert(key)
    const error = yield* Effect.flip(store.insert({ ...sampleKey(), id: key.id }))
    assert.equal(error._tag, "StoreDefect")
  })
)

const puts = contractCase(
  "puts a key in the place of the one with its id, also several at once",
  Effect.gen(function* () {
    const store = yield* ApiKeyStore
    const { id } = sampleKey()
    const keys = Array.from({ length: 8 }, (): StoredApiKey => ({ ...sampleKey(), id }))
    const stored = Effect.map(store.all, (all) => all.filter((key) => key.id === id))
    yield* Effect.forEach(keys, store.put, { concurrency: "unbounded", discard: true })
    const [one, ...others] = yield* stored
    assert.deepEqual(others, [])
    assert.ok(keys.some(({ hash }) => hash === one?.hash))
    const last: StoredApiKey = { ...sampleKey(), id, name: "last", scopes: ["wallets:write"], createdAt: 1 }
    yield* Effect.forEach(
      Array.from(keys, () => last),
      store.put,
      { concurrency: "unbounded", discard: true }
    )
    assert.deepEqual(yield* stored, [last])
    assert.equal(yield* store.remove(id), true)
  })
)

const installation = contractCase(
  "records the first start, and answers it ever after, also to several at once",
  Effect.gen(function* () {
    const store = yield* ApiKeyStore
    const answers = yield* Effect.all(
      [8, 16, 32].map((partitions) => store.installation({ partitions })),
      { concurrency: "unbounded" }
    )
    const [first] = answers
    assert.deepEqual(answers, [first, first, first])
    assert.deepEqual(yield* store.installation({ partitions: 64 }), first)
  })
)

const bounded = contractCase(
  "keeps what bounds a key, and rolls its secret: the one before is kept, the one before that is not",
  Effect.gen(function* () {
    const store = yield* ApiKeyStore
    const restriction: KeyRestriction = {
      walletIds: ["a", "b"],
      ownerId: "o",
      currencies: ["EUR"],
      types: ["credit", "refund"],
      limits: { perOperation: 1n, perDay: 10n ** 29n }
    }
    const plain = sampleKey()
    const key: StoredApiKey = { ...sampleKey(), scopes: ["wallets:read"], expiresAt: 1_800_000_000_999, restriction }
    for (const one of [plain, key]) {
      yield* store.insert(one)
      const stored = Effect.map(store.all, (all) => all.find(({ id }) => id === one.id))
      assert.deepEqual(yield* stored, one)
      const [second, third, fourth] = [sampleKey().hash, sampleKey().hash, sampleKey().hash]
      const afterSecond = { ...one, hash: second, previous: { hash: one.hash, until: 1_700_000_100_001 } }
      assert.deepEqual(yield* store.roll(one.id, { hash: second, previousUntil: 1_700_000_100_001 }), afterSecond)
      assert.deepEqual(yield* stored, afterSecond)
      const afterThird = { ...one, hash: third, previous: { hash: second, until: 1_700_000_200_002 } }
      assert.deepEqual(yield* store.roll(one.id, { hash: third, previousUntil: 1_700_000_200_002 }), afterThird)
      assert.deepEqual(yield* store.roll(one.id, { hash: fourth, previousUntil: null }), { ...one, hash: fourth })
      assert.deepEqual(yield* stored, { ...one, hash: fourth })
    }
    const { hash: _, ...shown } = key
    const listed = (yield* allPages((cursor) => store.list({ limit: 200, cursor }))).flat()
    assert.deepEqual(
      listed.find(({ id }) => id === key.id),
      shown
    )
    assert.equal(yield* store.roll(uniqueId("key"), { hash: sampleKey().hash, previousUntil: null }), undefined)
  })
)

export const apiKeyStoreContract: ReadonlyArray<ContractCase<ApiKeyStore>> = [
  keeps,
  removes,
  pages,
  twice,
  puts,
  bounded,
  installation
]
