/** Search over the API. */
import type { EngineSearch } from "../engine/EngineApi.ts"
import {
  asked,
  ownSearch,
  wrongHoldSearch,
  wrongStats,
  wrongTransactionSearch,
  wrongTransferSearch,
  wrongWalletSearch
} from "../engine/QueryForm.ts"
import { HoldPage, StatsJson, TransactionPage, TransferPage, WalletPage } from "../http/api/Schemas.ts"
import { given } from "./RemoteCommand.ts"
import { lookFailures, reading } from "./RemoteQueries.ts"
import { type RemoteService, whole } from "./RemoteService.ts"

const searchFailures = [...lookFailures, "InvalidRequest", "QueryTooWide"] as const

/**
 * The first time that there is. With a time to search from, a list of transfers is searched for: by its wallet and
 * status alone the API lists what is persisted.
 */
const everSince = 0

export const makeSearch = (service: RemoteService): EngineSearch => {
  const { client } = service
  const read = reading(service)
  return {
    searchWallets: asked(
      wrongWalletSearch,
      (query) => read(WalletPage, searchFailures, {}, client.wallets.search({ query: given(query), ...whole })),
      ownSearch
    ),
    searchTransactions: asked(
      wrongTransactionSearch,
      (query) =>
        read(TransactionPage, searchFailures, {}, client.transactions.search({ query: given(query), ...whole })),
      ownSearch
    ),
    searchTransfers: asked(
      wrongTransferSearch,
      (query) =>
        read(
          TransferPage,
          searchFailures,
          {},
          client.transfers.list({ query: given({ ...query, from: query.from ?? everSince }), ...whole })
        ),
      ownSearch
    ),
    searchHolds: asked(
      wrongHoldSearch,
      (query) => read(HoldPage, searchFailures, {}, client.holds.search({ query: given(query), ...whole })),
      ownSearch
    ),
    stats: asked(wrongStats, (query) =>
      read(StatsJson, searchFailures, {}, client.stats.read({ query: given(query), ...whole }))
    )
  }
}
