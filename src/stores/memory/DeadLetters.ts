/** Documents that the search index has refused, in memory. */
import * as Effect from "effect/Effect"
import type { DeadLetter, Persistence } from "../Persistence.ts"
import { copyOf } from "./Copies.ts"
import type { MemoryState } from "./MemoryDatabase.ts"

type Place = Pick<DeadLetter, "kind" | "id">

/** No id has a blank. */
const nameOf = ({ id, kind }: Place): string => `${kind} ${id}`

const compare = (a: Place, b: Place): number =>
  a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : a.id < b.id ? -1 : a.id > b.id ? 1 : 0

type Letters = Pick<
  Persistence["Service"],
  "saveDeadLetters" | "deadLetters" | "countDeadLetters" | "refusedVersions" | "removeDeadLetters"
>

export const makeDeadLetters = ({ deadLetters }: MemoryState): Letters => ({
  saveDeadLetters: (letters) =>
    Effect.sync(() => {
      for (const letter of letters) {
        const before = deadLetters.get(nameOf(letter))
        if (before === undefined || before.version <= letter.version) deadLetters.set(nameOf(letter), copyOf(letter))
      }
    }),
  deadLetters: ({ after, limit }) =>
    Effect.sync(() =>
      copyOf(
        [...deadLetters.values()]
          .filter((letter) => after === undefined || compare(letter, after) > 0)
          .sort(compare)
          .slice(0, limit)
      )
    ),
  countDeadLetters: Effect.sync(() => deadLetters.size),
  refusedVersions: (walletIds) =>
    Effect.sync(() => {
      const asked = new Set(walletIds)
      const versions = new Map<string, number>()
      for (const { version, walletId } of deadLetters.values()) {
        if (asked.has(walletId)) versions.set(walletId, Math.max(version, versions.get(walletId) ?? 0))
      }
      return versions
    }),
  removeDeadLetters: (letters) =>
    Effect.sync(() => {
      for (const letter of letters) {
        const kept = deadLetters.get(nameOf(letter))
        if (kept !== undefined && kept.version <= letter.version) deadLetters.delete(nameOf(letter))
      }
    })
})
