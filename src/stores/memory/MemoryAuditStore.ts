/** The audit list in memory: gone with the process. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import { type AuditEntry, type AuditQuery, AuditStore } from "../AuditStore.ts"
import { decodePosition, type Page, pageByNumber } from "../Page.ts"
import { copyOf } from "./Copies.ts"
import { isWithin } from "./Matching.ts"
import { MemoryDatabase, type MemoryState } from "./MemoryDatabase.ts"

const list = Effect.fnUntraced(function* (
  { audit }: MemoryState,
  { action, cursor, from, keyId, limit, to }: AuditQuery
): Effect.fn.Return<Page<AuditEntry>, InvalidRequest> {
  const before = yield* decodePosition("audit", cursor)
  const found = audit
    .filter(({ entry, number }) => (before === undefined || number < before) && isWithin(entry.time, from, to))
    .filter(
      ({ entry }) => (keyId === undefined || entry.keyId === keyId) && (action === undefined || entry.action === action)
    )
    .reverse()
  return pageByNumber("audit", found, limit, ({ entry }) => entry)
})

export const make = (state: MemoryState): AuditStore["Service"] => ({
  add: (entries) =>
    Effect.sync(() => {
      const added = entries.map((entry) => ({ number: (state.auditMade += 1n), entry: copyOf(entry) }))
      state.audit = [...state.audit, ...added]
    }),
  list: (query) => Effect.map(list(state, query), copyOf),
  prune: (time, limit) =>
    Effect.sync(() => {
      const old = state.audit.filter(({ entry }) => entry.time < time).slice(0, limit)
      const gone = new Set(old)
      state.audit = state.audit.filter((one) => !gone.has(one))
      return old.length
    })
})

export const layer: Layer.Layer<AuditStore, never, MemoryDatabase> = Layer.effect(
  AuditStore,
  Effect.map(MemoryDatabase, make)
)
