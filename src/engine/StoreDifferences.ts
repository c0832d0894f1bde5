/** Of a wallet that was looked at in every store: in what they differ from the log. Pure. */
import type { WalletView } from "../stores/Persistence.ts"
import type { InspectReport } from "./Inspect.ts"
import { compareRecords } from "./verify/Report.ts"

export interface StoreDifference {
  readonly store: "actor" | "persistence" | "readModel"
  readonly what: string
  readonly expected: string
  readonly found: string
  /** It is behind the log, and may come up to it by itself. */
  readonly lags: boolean
}

const ofSide = (
  store: StoreDifference["store"],
  state: WalletView,
  found: WalletView | null
): ReadonlyArray<StoreDifference> => {
  if (found === null)
    return [{ store, what: "wallet", expected: `version ${state.version}`, found: "none", lags: true }]
  if (found.version !== state.version) {
    const sides = { expected: String(state.version), found: String(found.version) }
    return [{ store, what: "version", ...sides, lags: found.version < state.version }]
  }
  const sides = compareRecords(state, found)
  return sides === undefined ? [] : [{ store, what: "wallet", ...sides, lags: false }]
}

/** The actor is ahead of what was read of the log a moment later only where another node has the wallet. */
const ofActor = ({ node, state }: InspectReport): ReadonlyArray<StoreDifference> => {
  const version = node?.actor?.version
  if (version === undefined || state === null || version === state.version || version === -1) return []
  const sides = { expected: String(state.version), found: String(version) }
  return [{ store: "actor", what: "version", ...sides, lags: version < state.version }]
}

const ofEvents = ({ ahead, diverged, persisted, row, state }: InspectReport): ReadonlyArray<StoreDifference> => {
  const store = "persistence"
  if (state === null) {
    const found = row === null ? "none" : `version ${row.version}`
    return [{ store, what: "wallet", expected: "nothing: the log has no such wallet", found, lags: false }]
  }
  if (ahead > 0 || !diverged) return []
  const what = `event ${persisted?.version ?? ""}`
  return [{ store, what, expected: "the log's", found: persisted?.eventId ?? "none", lags: false }]
}

/** Documents of an index of its own, as they are found; what it has not yet may be on its way. */
const ofIndex = ({ search }: InspectReport): ReadonlyArray<StoreDifference> =>
  search === null || typeof search === "string"
    ? []
    : search.flaws.map(({ expected, found, id, kind }) => ({
        store: "readModel",
        what: `${kind} ${id}`,
        expected,
        found,
        lags: found === "nothing"
      }))

/** Nothing: all agree. A wallet that moves meanwhile may show what is none a moment later. */
export const storeDifferences = (report: InspectReport): ReadonlyArray<StoreDifference> => {
  const { document, row, search, state } = report
  if (state === null) return ofEvents(report)
  const isUnread = typeof search === "string"
  return [
    ...ofActor(report),
    ...ofSide("persistence", state, row),
    ...ofEvents(report),
    ...(isUnread ? [] : ofSide("readModel", state, document)),
    ...ofIndex(report)
  ]
}
