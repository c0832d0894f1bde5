import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const day = (date: string, time = "12:00:00.000") => `${date}T${time}Z`

/** A wallet with movements of three days in 2024, one of today, and a capture. */
const aWallet = Effect.gen(function* () {
  const { call, wallet } = yield* TestServer
  const id = yield* wallet()
  const path = `/v1/wallets/${id}`
  const post = (key: string, to: string, body: object) => call("POST", `${path}/${to}`, { key, body })
  yield* post("a", "credit", { amount: "1000", effectiveAt: day("2024-03-30") })
  yield* post("b", "debit", { amount: "300", effectiveAt: day("2024-03-31", "22:30:00.000"), reference: 'a, "b"' })
  yield* post("c", "credit", { amount: "50" })
  const { json } = yield* post("h", "holds", { amount: "20" })
  yield* post("k", `holds/${json.hold.id}/capture`, { effectiveAt: day("2024-03-31") })
  yield* post("d", "credit", { amount: "7", effectiveAt: day("2024-03-31") })
  return { call, id, path, post }
})

interface Row {
  readonly type: string
  readonly amount: string
  readonly version: number
}

const rowsOf = (data: ReadonlyArray<Row>) => data.map(({ amount, type, version }) => `${version} ${type} ${amount}`)

layer(Server.layer(), { excludeTestServices: true })("a wallet's statement over HTTP", (it) => {
  it.effect("has what counts between two times, in their order, with balances and totals", () =>
    Effect.gen(function* () {
      const { call, path } = yield* aWallet
      const all = yield* call("GET", `${path}/statement`)
      assert.strictEqual(all.status, 200)
      assert.deepStrictEqual(rowsOf(all.json.data), [
        "1 credit 1000",
        "5 capture 20",
        "6 credit 7",
        "2 debit 300",
        "3 credit 50"
      ])
      assert.deepInclude(all.json, {
        openingBalance: "0",
        closingBalance: "737",
        totals: { credit: "1057", capture: "20", debit: "300" },
        next: null
      })
      assert.strictEqual(all.json.data[0].effectiveAt, day("2024-03-30"))
      assert.strictEqual(all.json.data[4].effectiveAt, all.json.data[4].createdAt)
      const one = yield* call("GET", `${path}/statement?from=${day("2024-03-31")}&to=${day("2024-03-31")}`)
      assert.deepStrictEqual(rowsOf(one.json.data), ["5 capture 20", "6 credit 7"])
      assert.deepInclude(one.json, { openingBalance: "1000", closingBalance: "987" })
      const nobody = yield* call("GET", "/v1/wallets/nobody/statement")
      assert.strictEqual(nobody.json.code, "WalletNotFound")
    })
  )

  it.effect("takes dates of a time zone, the last one whole", () =>
    Effect.gen(function* () {
      const { call, path } = yield* aWallet
      const last = (query: string) => call("GET", `${path}/statement?from=2024-03-31&to=2024-03-31${query}`)
      assert.deepInclude((yield* last("")).json, { openingBalance: "1000", closingBalance: "687" })
      // In Prague it was the first of April by then.
      assert.deepInclude((yield* last("&timezone=Europe/Prague")).json, {
        openingBalance: "1000",
        closingBalance: "987"
      })
    })
  )

  it.effect("shows all pages as of the version of the first", () =>
    Effect.gen(function* () {
      const { call, path, post } = yield* aWallet
      const first = yield* call("GET", `${path}/statement?limit=2&to=2999-01-01T00:00:00Z`)
      assert.lengthOf(first.json.data, 2)
      yield* post("later", "debit", { amount: "500", effectiveAt: day("2024-03-31", "13:00:00.000") })
      const rows = [...first.json.data]
      let next = first.json.next
      while (next !== null) {
        const page = yield* call("GET", `${path}/statement?limit=2&to=2999-01-01T00:00:00Z&cursor=${next}`)
        assert.deepInclude(page.json, { openingBalance: "0", closingBalance: "737", totals: first.json.totals })
        rows.push(...page.json.data)
        next = page.json.next
      }
      assert.deepStrictEqual(
        rowsOf(rows).map((row) => row.split(" ")[0]),
        ["1", "5", "6", "2", "3"]
      )
      const other = yield* call("GET", `${path}/statement?limit=2&to=2998-01-01T00:00:00Z&cursor=${first.json.next}`)
      assert.strictEqual(other.status, 400)
      assert.strictEqual((yield* call("GET", `${path}/statement?cursor=WyI1Il0`)).status, 400)
      assert.strictEqual((yield* call("GET", `${path}/statement`)).json.closingBalance, "237")
    })
  )

  it.effect("is CSV where that is preferred: whole, or by pages", () =>
    Effect.gen(function* () {
      const { call, id, path } = yield* aWallet
      const csv = { headers: { accept: "text/csv" } }
      const whole = yield* call("GET", `${path}/statement`, csv)
      assert.strictEqual(whole.headers.get("content-type"), "text/csv; charset=utf-8")
      assert.strictEqual(whole.headers.get("opening-balance"), "0")
      assert.strictEqual(whole.headers.get("closing-balance"), "737")
      const lines = whole.text.split("\r\n")
      assert.lengthOf(lines, 7)
      assert.strictEqual(
        lines[0],
        "id,walletId,type,amount,balanceAfter,currency,reference,metadata,holdId,transferId,version,createdAt,effectiveAt,refundOf,refunded"
      )
      assert.match(
        lines[1]!,
        new RegExp(`^[^,]+,${id},credit,1000,1000,EUR,,\\{\\},,,1,[^,]+,2024-03-30T12:00:00.000Z,,0$`)
      )
      assert.include(lines[4], ',"a, ""b""",')
      const page = yield* call("GET", `${path}/statement?limit=4`, csv)
      assert.lengthOf(page.text.split("\r\n"), 6)
      const link = /^<(.*)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1] ?? ""
      const rest = yield* call("GET", link, csv)
      assert.deepStrictEqual(rest.text.split("\r\n").slice(1), lines.slice(5))
      assert.isNull(rest.headers.get("link"))
      for (const accept of ["*/*", "application/json, text/csv;q=0.9", "text/html"]) {
        const json = yield* call("GET", `${path}/statement`, { headers: { accept } })
        assert.strictEqual(json.headers.get("content-type"), "application/json", accept)
      }
      assert.strictEqual((yield* call("GET", "/v1/wallets/nobody/statement", csv)).json.code, "WalletNotFound")
    })
  )

  it.effect("tells the balance by the books of a time, with the rest of the wallet as now", () =>
    Effect.gen(function* () {
      const { call, path } = yield* aWallet
      const now = (yield* call("GET", path)).json
      const balanceAt = (at: string) => Effect.map(call("GET", `${path}?effectiveAt=${at}`), ({ json }) => json)
      assert.deepStrictEqual(yield* balanceAt("2024-03-30T11:59:59.999Z"), { ...now, balance: "0" })
      assert.deepStrictEqual(yield* balanceAt(day("2024-03-30")), { ...now, balance: "1000" })
      assert.deepStrictEqual(yield* balanceAt("2024-12-31T00:00:00Z"), { ...now, balance: "687" })
      assert.deepStrictEqual(yield* balanceAt("2999-12-31T00:00:00Z"), now)
      assert.strictEqual((yield* call("GET", `${path}?effectiveAt=${day("2024-03-30")}&atVersion=1`)).status, 400)
    })
  )

  it.effect("counts a transfer on both sides at once, and what the key stands for", () =>
    Effect.gen(function* () {
      const { call, id, post } = yield* aWallet
      const { wallet } = yield* TestServer
      const to = yield* wallet()
      const send = (key: string, more: object) =>
        call("POST", "/v1/transfers", { key, body: { from: id, to, amount: "5", ...more } })
      const at = day("2020-01-01")
      assert.strictEqual((yield* send("t1", { effectiveAt: at })).json.transfer.effectiveAt, at)
      const plain = (yield* send("t2", {})).json.transfer
      assert.strictEqual(plain.effectiveAt, plain.createdAt)
      const received = (yield* call("GET", `/v1/wallets/${to}/transactions`)).json.data
      const sent = (yield* call("GET", `/v1/wallets/${id}/transactions?type=transfer_out`)).json.data
      const times = (rows: ReadonlyArray<{ readonly effectiveAt: string }>) =>
        rows.map(({ effectiveAt }) => effectiveAt)
      assert.deepStrictEqual(times(received), times(sent))
      assert.deepStrictEqual(times(sent), [plain.createdAt, at])
      assert.strictEqual((yield* call("GET", `/v1/wallets/${to}?effectiveAt=${at}`)).json.balance, "5")
      assert.strictEqual((yield* send("t1", { effectiveAt: day("2020-01-02") })).json.code, "IdempotencyKeyReused")
      assert.strictEqual((yield* send("t1", {})).json.code, "IdempotencyKeyReused")
      assert.strictEqual((yield* send("t1", { effectiveAt: at })).headers.get("idempotency-replayed"), "true")
      assert.strictEqual(
        (yield* post("c", "credit", { amount: "50", effectiveAt: at })).json.code,
        "IdempotencyKeyReused"
      )
      const batch = yield* call("POST", "/v1/batch", {
        body: {
          commands: [
            { type: "credit", walletId: id, idempotencyKey: "b1", amount: "1", effectiveAt: at },
            { type: "transfer", walletId: id, to, idempotencyKey: "b2", amount: "1", effectiveAt: at },
            { type: "debit", walletId: id, idempotencyKey: "b3", amount: "1", effectiveAt: "2999-01-01T00:00:00Z" }
          ]
        }
      })
      assert.deepStrictEqual(
        batch.json.results.map(({ status }: { readonly status: number }) => status),
        [201, 201, 400]
      )
      assert.strictEqual(batch.json.results[0].body.transaction.effectiveAt, at)
      const found = yield* call("GET", `/v1/transactions?walletId=${id}&effectiveFrom=${at}&effectiveTo=${at}`)
      assert.lengthOf(found.json.data, 3)
    })
  )
})
