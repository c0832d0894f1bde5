/** What the page of a wallet asks for. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query"
import type { EventJson, HoldStatus } from "../../../src/http/api/Schemas.ts"
import type { Client } from "../api/Client.ts"

export type WalletEvent = typeof EventJson.Type

/** Milliseconds between two looks at what others may change. */
export const livePeriod = 3_000

/** Events that are loaded together; two such blocks at most are looked at. */
export const blockSize = 400

/** As many as the API gives at once. */
const pageSize = 200

export const walletQuery = (client: Client, id: string) =>
  queryOptions({
    queryKey: ["wallet", id],
    queryFn: ({ signal }) => client.read((api) => api.wallets.get({ params: { id }, query: {} }), signal),
    refetchInterval: livePeriod
  })

/** What was is not going to change. */
export const walletThenQuery = (client: Client, id: string, version: number) =>
  queryOptions({
    queryKey: ["wallet", id, "at", version],
    queryFn: ({ signal }) =>
      client.read((api) => api.wallets.get({ params: { id }, query: { atVersion: version } }), signal),
    staleTime: Infinity,
    placeholderData: keepPreviousData
  })

/** Events `block × blockSize` and on, as far as there are any up to `upTo`. */
export const eventsQuery = (client: Client, id: string, block: number, upTo: number) => {
  const first = block * blockSize
  const last = Math.min(upTo, first + blockSize - 1)
  return queryOptions({
    queryKey: ["wallet", id, "events", block, last],
    queryFn: async ({ signal }) => {
      const events: Array<WalletEvent> = []
      for (let from = first; from <= last; from += pageSize) {
        const limit = Math.min(pageSize, last - from + 1)
        const after = from === 0 ? {} : { after: from - 1 }
        const page = await client.read(
          (api) => api.wallets.events({ params: { id }, query: { ...after, limit } }),
          signal
        )
        events.push(...page.data)
      }
      return events
    },
    staleTime: Infinity,
    placeholderData: keepPreviousData
  })
}

export const transactionsQuery = (client: Client, id: string) =>
  infiniteQueryOptions({
    queryKey: ["wallet", id, "transactions"],
    queryFn: ({ pageParam, signal }) =>
      client.read(
        (api) =>
          api.wallets.transactions({
            params: { id },
            query: { limit: pageSize, ...(pageParam === null ? {} : { cursor: pageParam }) }
          }),
        signal
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next
  })

export const holdsQuery = (client: Client, id: string, status: typeof HoldStatus.Type | undefined) =>
  infiniteQueryOptions({
    queryKey: ["wallet", id, "holds", status],
    queryFn: ({ pageParam, signal }) =>
      client.read(
        (api) =>
          api.holds.list({
            params: { id },
            query: {
              limit: pageSize,
              ...(status === undefined ? {} : { status }),
              ...(pageParam === null ? {} : { cursor: pageParam })
            }
          }),
        signal
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next
  })

/** On their way, in or out. */
export const inFlightQuery = (client: Client, walletId: string) =>
  queryOptions({
    queryKey: ["wallet", walletId, "in flight"],
    queryFn: ({ signal }) =>
      client.read((api) => api.transfers.list({ query: { walletId, status: "pending", limit: 50 } }), signal)
  })
