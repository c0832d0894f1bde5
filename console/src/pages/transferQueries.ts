/** A transfer, and its steps as the events of its wallets tell them. */
import { queryOptions } from "@tanstack/react-query"
import type { Transfer } from "../acts/Command.ts"
import type { Client } from "../api/Client.ts"
import { Failure } from "../api/Failure.ts"
import type { WalletEvent } from "./walletQueries.ts"

export interface Step {
  readonly walletId: string
  readonly event: WalletEvent
}

export interface Steps {
  readonly steps: ReadonlyArray<Step>
  /** Wallets whose events were not looked through to the end of the transfer. */
  readonly unfinished: ReadonlyArray<string>
}

const pageSize = 200

/** Of each wallet: a transfer takes milliseconds, so only a very busy wallet has more beside it. */
const maxPages = 5

/** Of one transfer: of a payroll the first are shown. */
export const maxWallets = 12

/** Milliseconds: the last step, of which nobody waits for the answer, comes after the transfer was last changed. */
const afterwards = 60_000

export const walletsOf = ({ legs }: Pick<Transfer, "legs">): ReadonlyArray<string> => [
  ...new Set(legs.flatMap(({ from, to }) => [from, to]))
]

/** The version before the first event of that time; `undefined`: there was none. */
const versionBefore = async (
  client: Client,
  id: string,
  time: number,
  signal: AbortSignal
): Promise<number | undefined> => {
  try {
    return (await client.read((api) => api.wallets.get({ params: { id }, query: { at: time - 1 } }), signal)).version
  } catch (error) {
    if (error instanceof Failure && error.status === 404) return undefined
    throw error
  }
}

const last = new Set(["TransferSettled", "TransferReversed", "LegsSettled"])
const lastElsewhere = new Set(["TransferReceived", "TransferRefused", "LegsApplied", "LegsReleased"])

/** Whether the wallet has no more to say of it. */
const isLast = ({ type }: WalletEvent, isHome: boolean): boolean =>
  last.has(type) || (!isHome && lastElsewhere.has(type))

const stepsOf = async (client: Client, transfer: Transfer, walletId: string, signal: AbortSignal) => {
  const isHome = transfer.legs[0]?.from === walletId
  const found: Array<Step> = []
  let after = await versionBefore(client, walletId, transfer.createdAt, signal)
  for (let pages = 0; pages < maxPages; pages++) {
    const from = after === undefined ? {} : { after }
    const { data, next } = await client.read(
      (api) => api.wallets.events({ params: { id: walletId }, query: { ...from, limit: pageSize } }),
      signal
    )
    for (const event of data) {
      if (event.data["transferId"] !== transfer.id) continue
      found.push({ walletId, event })
      if (isLast(event, isHome)) return { found, isWhole: true }
    }
    const end = data.at(-1)
    if (end === undefined || next === null || end.time > transfer.updatedAt + afterwards)
      return { found, isWhole: true }
    after = end.version
  }
  return { found, isWhole: false }
}

/** Where two were in one millisecond, by what has to be before what. */
const order: ReadonlyArray<ReadonlyArray<string>> = [
  ["TransferSent", "HoldCapturedTo", "LegsBegun"],
  ["TransferReceived", "TransferRefused", "LegsPrepared", "LegsRefused"],
  ["LegsApplied", "LegsReleased"],
  ["TransferSettled", "TransferReversed", "LegsSettled"]
]

const placeOf = ({ event }: Step): number => order.findIndex((types) => types.includes(event.type))

const inOrder = (one: Step, other: Step): number => one.event.time - other.event.time || placeOf(one) - placeOf(other)

export const transferQuery = (client: Client, id: string) =>
  queryOptions({
    queryKey: ["transfer", id],
    queryFn: ({ signal }) => client.read((api) => api.transfers.get({ params: { id }, query: {} }), signal),
    refetchInterval: ({ state }) => (state.data?.status === "pending" ? 2_000 : false)
  })

export const stepsQuery = (client: Client, transfer: Transfer) =>
  queryOptions({
    queryKey: ["transfer", transfer.id, "steps", transfer.status, transfer.updatedAt],
    queryFn: async ({ signal }): Promise<Steps> => {
      const wallets = walletsOf(transfer).slice(0, maxWallets)
      const looked = await Promise.all(
        wallets.map(async (walletId) => ({ walletId, ...(await stepsOf(client, transfer, walletId, signal)) }))
      )
      return {
        steps: looked.flatMap(({ found }) => found).sort(inOrder),
        unfinished: looked.filter(({ isWhole }) => !isWhole).map(({ walletId }) => walletId)
      }
    }
  })
