/** What the log says of transfers of several legs: each has happened at all of its wallets, or at none. */
import * as Effect from "effect/Effect"
import { EventStore } from "../../src/stores/EventStore.ts"

const pageEvents = 2_000

export interface LegsCounts {
  begun: number
  completed: number
  reversed: number
  /** Begun, and undone before anybody was asked. */
  undone: number
  /** What is not all or nothing. */
  readonly broken: ReadonlyArray<string>
}

interface SeenLegs {
  readonly home: string
  readonly wallets: ReadonlySet<string>
  readonly prepared: Set<string>
  readonly applied: Set<string>
  readonly released: Set<string>
  /** `undefined`: it is not settled. */
  completed: boolean | undefined
  undone: boolean
}

/** What is wrong with one that has had its time. */
const legsBroken = ({
  applied,
  completed,
  home,
  prepared,
  released,
  undone,
  wallets
}: SeenLegs): string | undefined => {
  if (undone) return prepared.size + applied.size + released.size > 0 ? "undone, and others were asked" : undefined
  if (completed === undefined) return "never ended"
  if (completed) {
    if (applied.size !== wallets.size) return `completed, and applied at ${applied.size} of ${wallets.size} wallets`
    return released.size > 0 ? "completed, and released" : undefined
  }
  if (applied.size > 0) return "reversed, and applied"
  const deaf = [...prepared, home].filter((id) => !released.has(id))
  return deaf.length > 0 ? `reversed, and ${deaf.join(", ")} still keep money for it` : undefined
}

/** All transfers of several legs in the log: each at all of its wallets, or at none. */
export const countLegs = Effect.gen(function* (): Effect.fn.Return<LegsCounts, unknown, EventStore> {
  const log = yield* EventStore
  const seen = new Map<string, SeenLegs>()
  const begunAt = new Map<string, SeenLegs>()
  const broken: Array<string> = []
  for (let after = 0n; ;) {
    const page = yield* log.readAll({ after, limit: pageEvents })
    const last = page.at(-1)
    if (last === undefined) break
    for (const { recorded } of page) {
      const { event, version, walletId } = recorded
      if (event._tag === "LegsBegun") {
        const wallets = new Set(event.legs.flatMap(({ from, to }) => [from, to]))
        const sets = { prepared: new Set<string>(), applied: new Set<string>(), released: new Set<string>() }
        const transfer: SeenLegs = { home: walletId, wallets, ...sets, completed: undefined, undone: false }
        if (seen.has(event.transferId)) broken.push(`${event.transferId} is begun twice`)
        seen.set(event.transferId, transfer)
        begunAt.set(`${walletId} ${version}`, transfer)
      } else if (event._tag === "OperationReversed" && event.reversedType === "LegsBegun") {
        begunAt.get(`${walletId} ${event.reversedVersion}`)!.undone = true
      } else if ("transferId" in event && typeof event.transferId === "string") {
        const transfer = seen.get(event.transferId)
        if (transfer === undefined) continue
        const at = { LegsPrepared: "prepared", LegsApplied: "applied", LegsReleased: "released" } as const
        if (event._tag === "LegsSettled") transfer.completed = event.reason === null
        if (!(event._tag in at)) continue
        const set = transfer[at[event._tag as keyof typeof at]]
        if (set.has(walletId)) broken.push(`${event._tag} of ${event.transferId} twice at ${walletId}`)
        set.add(walletId)
      }
    }
    after = last.position
  }
  const counts = { begun: seen.size, completed: 0, reversed: 0, undone: 0 }
  for (const [id, transfer] of seen) {
    const wrong = legsBroken(transfer)
    if (wrong !== undefined) broken.push(`${id}: ${wrong}`)
    counts[transfer.undone ? "undone" : transfer.completed === true ? "completed" : "reversed"]++
  }
  return { ...counts, broken }
})
