/** Imports of texts into an engine in memory, for the tests of this folder. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { decimalPoint, parseDecimalFormat } from "../../../src/cli/import/Decimals.ts"
import { importFile } from "../../../src/cli/import/Import.ts"
import type { ImportOptions, Opening } from "../../../src/cli/import/ImportOptions.ts"
import { ImportTarget } from "../../../src/cli/import/ImportTarget.ts"
import { formatOf } from "../../../src/cli/import/MovementFile.ts"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"

export const options = (file: string, more: Partial<ImportOptions> = {}): ImportOptions => ({
  file,
  format: formatOf(file),
  delimiter: undefined,
  encoding: undefined,
  skip: 0,
  columns: {},
  metadata: [],
  strict: false,
  wallet: undefined,
  walletMap: undefined,
  rowIds: { _tag: "Column" },
  source: undefined,
  currency: undefined,
  exponents: { others: undefined, named: {} },
  decimal: decimalPoint,
  timeZone: DateTime.zoneMakeNamedUnsafe("UTC"),
  now: Date.parse("2100-01-01T00:00:00Z"),
  overdraft: "0",
  opening: undefined,
  checkBalance: true,
  order: "file",
  dryRun: false,
  concurrency: 8,
  onProgress: () => Effect.void,
  ...more
})

export const decimal = (example: string) => Result.getOrThrow(parseDecimalFormat(example))

/** A file that is gone at the end of the scope. */
export const temporaryFile = (name: string, text: string | Uint8Array) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "wallet-import-test-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ),
    (folder) => {
      const file = join(folder, name)
      writeFileSync(file, text)
      return file
    }
  )

export const services = Layer.merge(
  NodeServices.layer,
  ImportTarget.layerEngine.pipe(Layer.provideMerge(Layer.fresh(WalletEngine.layerMemory)))
)

/** Imports the text as a file of that name. */
export const importText = (name: string, text: string | Uint8Array, more: Partial<ImportOptions> = {}) =>
  Effect.gen(function* () {
    return yield* importFile(options(yield* temporaryFile(name, text), more))
  }).pipe(Effect.scoped)

/** The message of its failure. */
export const refusal = (name: string, text: string | Uint8Array, more: Partial<ImportOptions> = {}) =>
  Effect.gen(function* () {
    const file = yield* temporaryFile(name, text)
    const error = yield* Effect.flip(importFile(options(file, more)))
    return error.message.replaceAll(file, "FILE")
  }).pipe(Effect.scoped)

export const balance = (walletId: string) =>
  Effect.gen(function* () {
    return (yield* (yield* WalletEngine).getWallet({ walletId })).balance
  })

/** Amounts of the wallet's movements, debits below zero, as they were booked. */
export const movements = (walletId: string) =>
  Effect.gen(function* () {
    const { data } = yield* (yield* WalletEngine).transactions({ walletId, limit: 100 })
    return data.map(({ amount, type }) => (type === "credit" ? amount : -amount)).reverse()
  })

/** Whether nothing at all is booked. */
export const walletIds = Effect.gen(function* () {
  const { data } = yield* (yield* WalletEngine).searchWallets({ limit: 100 })
  return data.map(({ id }) => id).sort()
})

/** What a report counts, without what differs from run to run. */
export const counts = ({
  durationMillis: _,
  notes: __,
  ignored: ___,
  ...report
}: Effect.Success<ReturnType<typeof importFile>>) =>
  Object.fromEntries(Object.entries(report).filter(([, value]) => value !== 0 && value !== false && value !== null))

/** With a balance after each row. */
export const balanceHeader = "id,wallet_id,amount,balance,currency\n"
export const fromFile: Opening = { _tag: "File" }
export const amountOf = (text: string): Opening => ({ _tag: "Amount", text })

/** Rows of wallet `w` in EUR: `[amount, balance]`, ids counted from `first`. */
export const rows = (
  list: ReadonlyArray<readonly [amount: number, balance: number | string]>,
  first = 1
): ReadonlyArray<string> =>
  list.map(
    ([moved, after], index) =>
      `${first + index},w,${moved.toFixed(2)},${typeof after === "number" ? after.toFixed(2) : after},EUR\n`
  )

export const january = rows([
  [5, 5],
  [2, 7],
  [-3, 4]
])
export const february = rows(
  [
    [10, 14],
    [-4, 10]
  ],
  4
)
export const text = (...lists: ReadonlyArray<ReadonlyArray<string>>): string => balanceHeader + lists.flat().join("")
