/** Reads many wallets in memory, in the order of their ids. */
import * as Effect from "effect/Effect"
import type { EventStore } from "../EventStore.ts"
import type { MemoryState } from "./MemoryDatabase.ts"
import type { RowScan } from "../Persistence.ts"
import { completeTo, type DerivedRows, lastId, type ScannedEvent, type WalletRange } from "../RowScan.ts"

type Scan = NonNullable<EventStore["Service"]["scan"]>

const idsIn = (ids: Iterable<string>, { after, to }: WalletRange): Array<string> =>
  [...ids].filter((id) => id > after && id <= (to ?? lastId)).sort()

/** Whether an id may come now; those of the place's own wallet do, too. */
const behind =
  (after: Parameters<Scan>[0]["after"]) =>
  ({ recorded: { version, walletId } }: ScannedEvent): boolean =>
    walletId > after.walletId || (walletId === after.walletId && version > after.version)

const inOrder = (a: ScannedEvent, b: ScannedEvent): number => {
  if (a.recorded.walletId !== b.recorded.walletId) return a.recorded.walletId < b.recorded.walletId ? -1 : 1
  return a.recorded.version - b.recorded.version
}

const currencyOf = (state: MemoryState, walletId: string): string => {
  const created = state.streams.get(walletId)?.[0]?.event
  return created?._tag === "WalletCreated" ? created.currency : ""
}

/** All events at each call: for small logs. */
export const scan =
  (state: MemoryState): Scan =>
  ({ after, limit, to }) =>
    Effect.sync(() => ({
      events: state.log
        .filter(({ recorded }) => recorded.walletId >= after.walletId && recorded.walletId <= (to ?? lastId))
        .map((one): ScannedEvent => ({ ...one, currency: currencyOf(state, one.recorded.walletId) }))
        .filter(behind(after))
        .sort(inOrder)
        .slice(0, limit),
      flaws: []
    }))

const derivedRows = (state: MemoryState, walletId: string, giant: string | undefined): DerivedRows => {
  const row = state.wallets.get(walletId)
  return {
    walletId,
    wallet: row && { view: row.wallet, position: row.position },
    holds: Array.from(state.holds.get(walletId)?.values() ?? [], ({ hold }) => hold),
    transfers: Array.from(state.transfers.get(walletId)?.values() ?? [], ({ transfer }) => transfer),
    refusals: state.refusals.get(walletId)?.length ?? 0,
    whole: walletId !== giant
  }
}

/** The wallet of the first row beyond the bound; each wallet has `sizeOf` rows. */
const cutOf = (ids: ReadonlyArray<string>, maxRows: number, sizeOf: (id: string) => number): string | undefined => {
  let rows = 0
  return ids.find((id) => (rows += sizeOf(id)) > maxRows)
}

/** `visible`: the rows as the effect sees them. */
export const rowScan = (visible: Effect.Effect<MemoryState>): RowScan => ({
  walletBehind: (after, count) =>
    Effect.map(visible, ({ wallets }) => idsIn(wallets.keys(), { after, to: undefined })[count - 1]),
  rows: (range, maxRows) =>
    Effect.map(visible, (state) => {
      const all = new Set([
        ...state.wallets.keys(),
        ...state.holds.keys(),
        ...state.transfers.keys(),
        ...state.refusals.keys()
      ])
      const ids = idsIn(all, range)
      const { giant, to } = completeTo(range, [
        cutOf(ids, maxRows, () => 1),
        cutOf(ids, maxRows, (id) => state.holds.get(id)?.size ?? 0),
        cutOf(ids, maxRows, (id) => state.transfers.get(id)?.size ?? 0),
        cutOf(ids, maxRows, (id) => state.refusals.get(id)?.length ?? 0)
      ])
      const complete = ids.filter((id) => id <= (to ?? lastId))
      return { wallets: complete.map((id) => derivedRows(state, id, giant)), to, flaws: [] }
    })
})
