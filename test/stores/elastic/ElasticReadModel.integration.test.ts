import { describe, layer } from "@effect/vitest"
import { transactionSearchContract } from "../../../src/testing/contract/TransactionSearchContract.ts"
import { walletSearchContract } from "../../../src/testing/contract/WalletSearchContract.ts"
import { elasticsearchPresent } from "../../support/elasticsearch.ts"
import { indexedStores } from "./indexedStores.ts"

const { settled, stores } = indexedStores()

describe.skipIf(!elasticsearchPresent)("search on Elasticsearch", () => {
  layer(stores, { excludeTestServices: true, timeout: 900_000 })("contracts", (it) => {
    const suites = {
      "wallet search": walletSearchContract(settled),
      "transaction search": transactionSearchContract(settled)
    }
    for (const [suite, cases] of Object.entries(suites)) {
      for (const { name, run } of cases) it.effect(`${suite}: ${name}`, () => run)
    }
  })
})
