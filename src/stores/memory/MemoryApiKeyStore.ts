/** API keys and the installation record in memory: gone with the process. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import { type ApiKey, ApiKeyStore, type StoredApiKey } from "../ApiKeyStore.ts"
import { decodePosition, type Page, type PageRequest, pageByNumber } from "../Page.ts"
import { StoreDefect } from "../StoreError.ts"
import { copyOf } from "./Copies.ts"
import { MemoryDatabase, type MemoryState } from "./MemoryDatabase.ts"

const put = (state: MemoryState, key: StoredApiKey): void => {
  const number = state.apiKeys.get(key.id)?.number ?? (state.apiKeysMade += 1n)
  state.apiKeys.set(key.id, { number, key: copyOf(key) })
}

const insert = (state: MemoryState, key: StoredApiKey): Effect.Effect<void, StoreDefect> =>
  Effect.suspend(() => {
    if (state.apiKeys.has(key.id)) {
      return Effect.fail(new StoreDefect({ store: "keys", reason: `an API key ${key.id} is there already` }))
    }
    put(state, key)
    return Effect.void
  })

const list = Effect.fnUntraced(function* (
  state: MemoryState,
  request: PageRequest
): Effect.fn.Return<Page<ApiKey>, InvalidRequest> {
  const before = yield* decodePosition("keys", request.cursor)
  const rows = [...state.apiKeys.values()].filter(({ number }) => before === undefined || number < before).reverse()
  return pageByNumber("keys", rows, request.limit, ({ key: { hash: _, previous: _p, ...key } }): ApiKey => key)
})

export const make = (state: MemoryState): ApiKeyStore["Service"] => ({
  insert: (key) => insert(state, key),
  put: (key) => Effect.sync(() => put(state, key)),
  list: (request) => Effect.map(list(state, request), copyOf),
  roll: (id, { hash, previousUntil }) =>
    Effect.sync(() => {
      const known = state.apiKeys.get(id)
      if (known === undefined) return undefined
      const { previous: _, ...key } = known.key
      const rolled = {
        ...key,
        hash,
        ...(previousUntil === null ? {} : { previous: { hash: key.hash, until: previousUntil } })
      }
      state.apiKeys.set(id, { ...known, key: rolled })
      return copyOf(rolled)
    }),
  remove: (id) => Effect.sync(() => state.apiKeys.delete(id)),
  all: Effect.sync(() => [...state.apiKeys.values()].map(({ key }) => copyOf(key))),
  installation: (first) => Effect.sync(() => copyOf((state.installation ??= { partitions: first.partitions })))
})

export const layer: Layer.Layer<ApiKeyStore, never, MemoryDatabase> = Layer.effect(
  ApiKeyStore,
  Effect.map(MemoryDatabase, make)
)
