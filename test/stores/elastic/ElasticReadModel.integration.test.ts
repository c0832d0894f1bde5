import { describe, layer } from "@effect/vitest"
import { holdSearchContract } from "../../../src/testing/contract/HoldSearchContract.ts"
import { legsSearchContract } from "../../../src/testing/contract/LegsContract.ts"
import { refundSearchContract } from "../../../src/testing/contract/RefundContract.ts"
import { searchedWalletsContract } from "../../../src/testing/contract/SearchedWalletsContract.ts"
import { statsContract } from "../../../src/testing/contract/StatsContract.ts"
import { transactionSearchContract } from "../../../src/testing/contract/TransactionSearchContract.ts"
import { transferSearchContract } from "../../../src/testing/contract/TransferSearchContract.ts"
import { walletSearchContract } from "../../../src/testing/contract/WalletSearchContract.ts"
import { elasticsearchPresent } from "../../support/elasticsearch.ts"
import { indexedStores } from "./indexedStores.ts"

const { settled, stores } = indexedStores()

describe.skipIf(!elasticsearchPresent)("search on Elasticsearch", () => {
  layer(stores, { excludeTestServices: true, timeout: 900_000 })("contracts", (it) => {
    const suites = {
      "wallet search": walletSearchContract(settled),
      "transaction search": transactionSearchContract(settled),
      "transfer search": transferSearchContract(settled),
      "search of legs": legsSearchContract(settled),
      "search of refunds": refundSearchContract(settled),
      "hold search": holdSearchContract(settled),
      stats: statsContract(settled),
      "searched wallets": searchedWalletsContract(settled)
    }
    for (const [suite, cases] of Object.entries(suites)) {
      for (const { name, run } of cases) it.effect(`${suite}: ${name}`, () => run)
    }
  })
})
