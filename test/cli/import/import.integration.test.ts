/**
 * The real command: through a running service, cut off in the middle, and with what
 * other programs of the field export (hledger, beancount: where they are installed).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { findPrograms } from "../../../bench/servers/ServerProcess.ts"
import { migratedDataDir } from "../../support/embedded.ts"
import { type Environment, runWallet, startService, temporaryFolder } from "../WalletProcess.ts"

const apiKey = "a-secret-of-our-own-0123456789"

const isThere = (program: string, args: ReadonlyArray<string>): boolean => spawnSync(program, args).status === 0

const hledger = findPrograms(["hledger"], [])
if (hledger === undefined)
  process.stderr.write("\n  hledger: ABSENT - NOT TESTED: the import of its exports (install hledger)\n\n")
const beancount = isThere("python3", ["-c", "import beancount"])
if (!beancount) {
  process.stderr.write("\n  beancount: ABSENT - NOT TESTED: the import of its exports (pip install beancount)\n\n")
}

const runImport = (args: ReadonlyArray<string>, environment: Environment) =>
  Effect.map(runWallet(["import", ...args, "--json"], environment), ({ code, stderr, stdout }) => ({
    code,
    stderr,
    report: JSON.parse(stdout === "" ? "{}" : stdout) as Readonly<Record<string, unknown>> & {
      readonly error?: { readonly code: string; readonly message: string }
    }
  }))

interface WalletJson {
  readonly balance: string
  readonly version: number
}

const getWallet = (url: string, id: string): Effect.Effect<WalletJson | undefined> =>
  Effect.promise(() =>
    fetch(`${url}/v1/wallets/${id}`, { headers: { authorization: `Bearer ${apiKey}` } }).then((response) =>
      response.ok ? (response.json() as Promise<WalletJson>) : undefined
    )
  )

/** Balances of these wallets after the import of an embedded folder. */
const balances = Effect.fnUntraced(function* (environment: Environment, ids: ReadonlyArray<string>) {
  const service = yield* startService(environment)
  return yield* Effect.forEach(ids, (id) => Effect.map(getWallet(service.url, id), (wallet) => wallet?.balance))
}, Effect.scoped)

/** A statement of `count` rows over some wallets, each with its balance. */
const statement = (count: number, wallets: number): string => {
  const sums = new Array<number>(wallets).fill(0)
  const lines = ["id,wallet_id,amount,balance,currency,date,description"]
  for (let row = 0; row < count; row++) {
    const wallet = row % wallets
    const moved = row >= wallets && row % 5 === 4 ? -1 : 1 + (row % 300)
    sums[wallet]! += moved
    const [amount, balance] = [moved, sums[wallet]!].map((units) => (units / 100).toFixed(2))
    lines.push(`r${row},w${wallet},${amount},${balance},EUR,2024-01-01,"row ${row}, \u00e9"`)
  }
  return `${lines.join("\n")}\n`
}

const ofItsOwn = Effect.map(migratedDataDir, (dataDir): Environment => ({
  WALLET_DATA_DIR: dataDir,
  WALLET_API_KEY: apiKey
}))

describe("wallet import", () => {
  it.live("books through a running service, once", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const environment = yield* ofItsOwn
      const service = yield* startService(environment)
      const file = join(folder, "bank.csv")
      writeFileSync(file, statement(5000, 7))
      const dry = yield* runImport([file, "--dry-run"], environment)
      assert.deepStrictEqual([dry.code, dry.report.imported, dry.report.dryRun], [0, 5000, true], dry.stderr)
      assert.isUndefined(yield* getWallet(service.url, "w0"))
      const first = yield* runImport([file], environment)
      assert.deepStrictEqual(
        [first.code, first.report.imported, first.report.walletsCreated],
        [0, 5000, 7],
        first.stderr
      )
      const wallet = yield* getWallet(service.url, "w3")
      const again = yield* runImport([file], environment)
      assert.deepStrictEqual([again.code, again.report.imported, again.report.known], [0, 0, 5000], again.stderr)
      assert.deepStrictEqual(yield* getWallet(service.url, "w3"), wallet)
    }).pipe(Effect.scoped)
  )

  it.live("books batches of the largest rows through a running service", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const environment = yield* ofItsOwn
      const service = yield* startService(environment)
      const names = Array.from({ length: 20 }, (_, index) => `m${index}`)
      const note = "\u0416".repeat(500)
      const rows = Array.from({ length: 120 }, (_, id) =>
        JSON.stringify({
          id,
          wallet_id: "w",
          amount: 1,
          currency: "EUR",
          ...Object.fromEntries(names.map((name) => [name, note]))
        })
      )
      const file = join(folder, "large.jsonl")
      writeFileSync(file, rows.join("\n"))
      const args = [file, ...names.flatMap((name) => ["--metadata", name])]
      const { code, report, stderr } = yield* runImport(args, environment)
      assert.deepStrictEqual([code, report.imported], [0, 120], stderr)
      assert.strictEqual((yield* getWallet(service.url, "w"))?.balance, "12000")
      const again = yield* runImport(args, environment)
      assert.deepStrictEqual([again.code, again.report.imported, again.report.known], [0, 0, 120], again.stderr)
    }).pipe(Effect.scoped)
  )

  it.live("killed in the middle is finished by the next run", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const environment = yield* ofItsOwn
      const first = yield* startService(environment)
      const file = join(folder, "bank.csv")
      writeFileSync(file, statement(30_000, 3))
      const running = yield* Effect.forkChild(runWallet(["import", file], environment))
      const booked = Effect.flatMap(getWallet(first.url, "w0"), (wallet) =>
        (wallet?.version ?? 0) > 0 ? Effect.succeed(wallet!.version) : Effect.fail("nothing yet")
      )
      yield* Effect.retry(booked, Schedule.spaced("5 millis"))
      // The process gets SIGKILL.
      yield* Fiber.interrupt(running)
      // The batch that was under way is done when the service has stopped: it would get between the next run's rows.
      yield* first.kill("SIGTERM")
      yield* first.exited
      const service = yield* startService(environment)
      const { code, report, stderr } = yield* runImport([file], environment)
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual(Number(report.imported) + Number(report.known), 30_000)
      assert.isAbove(Number(report.known), 0)
      const versions = yield* Effect.forEach(["w0", "w1", "w2"], (id) => getWallet(service.url, id))
      assert.deepStrictEqual(
        versions.map((wallet) => wallet?.version),
        [10_000, 10_000, 10_000]
      )
    }).pipe(Effect.scoped)
  )
})

const journal = `2024-01-01 Salary
    assets:bank            1000.00 EUR
    income:salary

2024-01-02 Two coffees
    expenses:coffee           3.00 EUR
    expenses:coffee           3.00 EUR
    assets:bank

2024-01-03 Sushi
    assets:cash               -500 JPY
    expenses:food              500 JPY
`
const accounts = `account,wallet
assets:bank,bank
expenses:coffee,coffee
assets:cash,cash
expenses:food,food
income:salary,
`

describe.skipIf(hledger === undefined)("an export of hledger", () => {
  const flags = ["--map", "id=txnidx", "--map", "wallet=account", "--map", "currency=commodity", "--overdraft", "5000"]
  it.live("has equal postings of one transaction: refused, or told apart, never lost", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const environment = yield* ofItsOwn
      const [file, map] = [join(folder, "hledger.csv"), join(folder, "accounts.csv")]
      const exported = spawnSync(join(hledger ?? "", "hledger"), ["-f", "-", "print", "-O", "csv"], {
        input: journal,
        encoding: "utf8"
      })
      assert.strictEqual(exported.status, 0, exported.stderr)
      writeFileSync(file, exported.stdout)
      writeFileSync(map, accounts)
      const args = [file, ...flags, "--wallet-map", map]
      const plain = yield* runImport([file, ...flags], environment)
      assert.include(plain.report.error?.message, '"assets:bank" is not 1-64 of A-Z a-z 0-9 _ -; --wallet-map FILE')
      const refused = yield* runImport(args, environment)
      assert.strictEqual(refused.code, 1)
      assert.include(refused.report.error?.message, "lines 4 and 5 of wallet coffee have the same id")
      const { code, report, stderr } = yield* runImport([...args, "--line-ids"], environment)
      assert.deepStrictEqual([code, report.imported, report.unmappedRows], [0, 6, 1], stderr)
      const again = yield* runImport([...args, "--line-ids"], environment)
      assert.deepStrictEqual([again.report.imported, again.report.known], [0, 6])
      const ids = ["bank", "coffee", "cash", "food"]
      assert.deepStrictEqual(yield* balances(environment, ids), ["99400", "600", "-500", "500"])
    }).pipe(Effect.scoped)
  )
})

/** Every posting as a row, the balance of its account after it. */
const beancountExport = `
import csv, sys
from collections import defaultdict
from beancount import loader
from beancount.core.data import Transaction
entries, errors, _ = loader.load_string(sys.stdin.read(), dedent=True)
assert not errors, errors
out = csv.writer(sys.stdout)
out.writerow(["date", "account", "amount", "currency", "balance", "narration"])
sums = defaultdict(int)
for entry in entries:
    if isinstance(entry, Transaction):
        for posting in entry.postings:
            sums[posting.account] += posting.units.number
            out.writerow([entry.date, posting.account, posting.units.number, posting.units.currency,
                          sums[posting.account], entry.narration])
`
const ledger = `
2024-01-01 open Assets:Bank EUR
2024-01-01 open Expenses:Coffee EUR
2024-01-01 open Income:Salary EUR

2024-01-02 * "Salary"
  Assets:Bank       1000.00 EUR
  Income:Salary

2024-01-03 * "Two coffees"
  Expenses:Coffee      3.00 EUR
  Expenses:Coffee      3.00 EUR
  Assets:Bank
`

describe.skipIf(!beancount)("an export of beancount", () => {
  it.live("has no ids, and balances: equal postings are two, in any run", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const environment = yield* ofItsOwn
      const [file, map] = [join(folder, "beancount.csv"), join(folder, "accounts.csv")]
      const exported = spawnSync("python3", ["-c", beancountExport], { input: ledger, encoding: "utf8" })
      assert.strictEqual(exported.status, 0, exported.stderr)
      writeFileSync(file, exported.stdout)
      writeFileSync(map, "account,wallet\nAssets:Bank,bank\nExpenses:Coffee,coffee\nIncome:Salary,salary\n")
      const args = [
        file,
        "--map",
        "wallet=account",
        "--map",
        "reference=narration",
        "--wallet-map",
        map,
        "--overdraft",
        "5000"
      ]
      for (const [imported, known] of [
        [5, 0],
        [0, 5]
      ]) {
        const { code, report, stderr } = yield* runImport(args, environment)
        assert.deepStrictEqual(
          [code, report.imported, report.known, report.balancesChecked],
          [0, imported, known, 5],
          stderr
        )
      }
      assert.deepStrictEqual(yield* balances(environment, ["bank", "coffee", "salary"]), ["99400", "600", "-100000"])
    }).pipe(Effect.scoped)
  )
})
